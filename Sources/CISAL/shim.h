#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

// Swift cannot read the macro, whose value is a sum of sizes.
enum { isal_level_1_buffer_size = ISAL_DEF_LVL1_DEFAULT };
