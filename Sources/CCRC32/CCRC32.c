// CRC-32 (ISO 3309) by multiplication without carries: V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using
// PCLMULQDQ Instruction", Intel, 2009. A register of 128 bits is a polynomial with reflected bits. To move it by n bits, its
// halves are multiplied by x^(n+64) and x^n modulo the polynomial, in reflected form. Only the folding is here; zlib computes the
// CRC of the last 16 bytes, so no reduction is needed.
//
// The function has an attribute for the instructions that it needs, so the target needs no compiler flags.

#include "CCRC32.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define FOLDING __attribute__((target("pclmul,sse2")))
typedef __m128i register128;

FOLDING static inline register128 load(const uint8_t *bytes) {
    return _mm_loadu_si128((const __m128i *)bytes);
}

FOLDING static inline void store(register128 value, uint8_t *bytes) {
    _mm_storeu_si128((__m128i *)bytes, value);
}

FOLDING static inline register128 add(register128 one, register128 other) {
    return _mm_xor_si128(one, other);
}

FOLDING static inline register128 constants(uint64_t low, uint64_t high) {
    return _mm_set_epi64x((long long)high, (long long)low);
}

FOLDING static inline register128 move(register128 value, register128 by) {
    return _mm_xor_si128(_mm_clmulepi64_si128(value, by, 0x00), _mm_clmulepi64_si128(value, by, 0x11));
}

bool ccrc32_can_fold(void) {
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse2");
}

#elif defined(__aarch64__) && defined(__linux__)

#include <arm_neon.h>
#include <sys/auxv.h>

#if defined(__clang__)
#define FOLDING __attribute__((target("aes")))
#else
#define FOLDING __attribute__((target("+crypto")))
#endif
typedef uint64x2_t register128;

FOLDING static inline register128 load(const uint8_t *bytes) {
    return vreinterpretq_u64_u8(vld1q_u8(bytes));
}

FOLDING static inline void store(register128 value, uint8_t *bytes) {
    vst1q_u8(bytes, vreinterpretq_u8_u64(value));
}

FOLDING static inline register128 add(register128 one, register128 other) {
    return veorq_u64(one, other);
}

FOLDING static inline register128 constants(uint64_t low, uint64_t high) {
    return vcombine_u64(vcreate_u64(low), vcreate_u64(high));
}

FOLDING static inline register128 move(register128 value, register128 by) {
    poly128_t low = vmull_p64((poly64_t)vgetq_lane_u64(value, 0), (poly64_t)vgetq_lane_u64(by, 0));
    poly128_t high = vmull_p64((poly64_t)vgetq_lane_u64(value, 1), (poly64_t)vgetq_lane_u64(by, 1));
    return veorq_u64(vreinterpretq_u64_p128(low), vreinterpretq_u64_p128(high));
}

bool ccrc32_can_fold(void) {
    // HWCAP_PMULL of the kernel's asm/hwcap.h.
    return (getauxval(AT_HWCAP) & (1 << 4)) != 0;
}

#endif

#ifdef FOLDING

FOLDING void ccrc32_fold(const uint8_t *bytes, size_t count, uint8_t folded[16]) {
    // The halves of 64 bytes on: x^(512+64-1) and x^(512-1) reflected; the halves of 16 bytes on: x^(128+64-1) and x^(128-1).
    const register128 by64 = constants(0x154442bd4, 0x1c6e41596);
    const register128 by16 = constants(0x1751997d0, 0x0ccaa009e);
    register128 a = load(bytes), b = load(bytes + 16), c = load(bytes + 32), d = load(bytes + 48);
    // The start value of CRC-32 is all ones.
    a = add(a, constants(0xffffffff, 0));
    for (bytes += 64, count -= 64; count >= 64; bytes += 64, count -= 64) {
        a = add(move(a, by64), load(bytes));
        b = add(move(b, by64), load(bytes + 16));
        c = add(move(c, by64), load(bytes + 32));
        d = add(move(d, by64), load(bytes + 48));
    }
    b = add(move(a, by16), b);
    c = add(move(b, by16), c);
    d = add(move(c, by16), d);
    for (; count >= 16; bytes += 16, count -= 16)
        d = add(move(d, by16), load(bytes));
    store(d, folded);
}

#else

bool ccrc32_can_fold(void) {
    return false;
}

void ccrc32_fold(const uint8_t *bytes, size_t count, uint8_t folded[16]) {
    (void)bytes, (void)count, (void)folded;
}

#endif
