/* vmath_f32.h - vmath.h's constants for float. */
#define SQRT_2 1.4142135623730951
#define LN2_HI 0x1.62e4p-1 /* 16 bits, so that n * LN2_HI is exact */
#define LN2_LO 0x1.7f7d1cp-20
#define EXP_MAX 89.0    /* exp is inf */
#define EXP_MIN -104.0  /* exp is 0 */
#define EXPM1_MIN -20.0 /* expm1 is -1 */
#define TANH_ONE 10.0   /* tanh is 1 */
#define LOG_SCALE 0x1p24
#define LOG_SCALE_BITS 24
#define UPPER_HALF 0xfffff000u
#define ERFC_ZERO 10.5 /* erfc is 0 */

/* (exp(r) - 1 - r) / r^2, |r| <= ln 2 / 2: 2^-25.8 of expm1 */
static const real exp_poly[] = {0.499999970f, 0.166665435f, 0.0416672044f, 0.00836652052f,
                                0.00138823956f};
/* (2 atanh(s) - 2 s) / s^3 in s^2, |s| <= 0.1717: 2^-30.1 of atanh */
static const real log_poly[] = {0.666667759f, 0.399775684f, 0.298715949f};
/* erf(x) / x - 1 in x^2, |x| <= 1/2: 2^-29.3 of erf */
static const real erf_poly[] = {0.128379166f, -0.376126111f, 0.112828508f, -0.0267582592f,
                                0.00471915957f};
/* (a + c) exp(a^2) erfc(a) in t = (a - c) / (a + c), 0.49 <= a <= 10.6: 2^-26.2 of erfc. This c
 * is one at which rounding the coefficients does little harm. */
#define ERFC_C 2.6328125
static const real erfc_poly[] = {1.06025457f,     -0.828622580f,   0.493706822f,
                                 -0.208950266f,   0.0497746356f,   0.00271868915f,
                                 -0.00581343472f, 0.000580221938f, 0.000607604103f};
