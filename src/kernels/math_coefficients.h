/* Polynomial coefficients of the elementary functions, lowest power first, the same for every
 * instruction set: weighted minimax fits of this project. math_c.h, math_avx2.h,
 * math_avx512.h and math_neon.h evaluate them. */
#ifndef TOKENMARK_KERNELS_MATH_COEFFICIENTS_H
#define TOKENMARK_KERNELS_MATH_COEFFICIENTS_H

/* exp(x) saturates above (2^127.5) and is 0 below (the smallest normal number). */
static const float math_exp_highest = 88.37626f;
static const float math_exp_lowest = -87.33654f;
static const float math_log2_e = 1.44269504f;
/* ln 2 in two parts: the first has few bits, so that n * high is exact. */
static const float math_ln2_high = 0.693359375f;
static const float math_ln2_low = -2.12194440e-4f;

/* exp(r) = 1 + r + r^2 P(r), |r| <= ln(2) / 2; relative error 3e-9 before rounding. */
static const float math_exp_poly[5] = {0x1.fffffcp-2f, 0x1.555490p-3f, 0x1.5558f8p-5f,
                                       0x1.123b02p-7f, 0x1.6a2256p-10f};

/* tanh(x) = x + x^3 P(x^2) below the bound, 1 - 2 / (exp(2x) + 1) above; 7e-9. */
static const float math_tanh_bound = 0.625f;
static const float math_tanh_poly[5] = {-0x1.555524p-2f, 0x1.1103f2p-3f, -0x1.b7cff2p-5f,
                                        0x1.4f5ef8p-6f, -0x1.69711ap-8f};

/* erf(x) = x P(x^2) below the bound; 1 - exp(-Q(x)) above, x cut at 4; 1e-9. */
static const float math_erf_bound = 1.0f;
static const float math_erf_highest = 4.0f;
static const float math_erf_poly[7] = {0x1.20dd74p+0f,  -0x1.81273ep-2f, 0x1.ce2cf8p-4f,
                                       -0x1.b7f90ep-6f, 0x1.5405b6p-8f,  -0x1.a3f718p-11f,
                                       0x1.496a6cp-14f};
static const float math_erfc_poly[7] = {0x1.47a5fap-12f, 0x1.209054p+0f,  0x1.46a35ap-1f,
                                        0x1.a6effap-4f,  -0x1.66ea6ap-6f, 0x1.847f88p-9f,
                                        -0x1.8a3484p-13f};

/* gelu_tanh(x) = x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)) */
static const float math_gelu_linear = 1.5957691216f;
static const float math_gelu_cubic = 0.044715f;
static const float math_sqrt_half = 0.70710678118f;
static const float math_quick_gelu = 1.702f;

#endif
