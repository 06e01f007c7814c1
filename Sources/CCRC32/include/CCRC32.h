#ifndef CCRC32_H
#define CCRC32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Whether the processor multiplies without carries (PCLMULQDQ on x86-64, PMULL on arm64). Without this, nobody may call the
/// function below.
bool ccrc32_can_fold(void);

/// Folds bytes into 16 bytes with the same remainder modulo the polynomial of CRC-32.
///
/// The CRC of the bytes is the CRC of the 16 bytes, computed from an inverted start value of 0.
///
/// - Parameters:
///   - count: a multiple of 16, at least 64.
///   - folded: receives the 16 bytes.
void ccrc32_fold(const uint8_t *bytes, size_t count, uint8_t folded[16]);

#endif
