#include "CSockets.h"
int csockets_placeholder(void) { return 0; }
