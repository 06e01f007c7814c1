#ifndef CSOCKETS_H
#define CSOCKETS_H
int csockets_placeholder(void);
#endif
