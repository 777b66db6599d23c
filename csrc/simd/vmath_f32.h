/* vmath_f32.h - vmath.h's constants for float. */
#define SQRT_2 1.4142135623730951
#define LN2_HI 0x1.62e4p-1 /* 16 bits, so that n * LN2_HI is exact */
#define LN2_LO 0x1.7f7d1cp-20
#define EXP_MAX 89.0     /* exp is inf */
#define EXP_MIN -104.0   /* exp is 0 */
#define SIGMOID_ONE 20.0 /* sigmoid is 1 */
#define EXPM1_MIN -20.0  /* expm1 is -1 */
#define TANH_ONE 10.0    /* tanh is 1 */
#define LOG_SCALE 0x1p24
#define LOG_SCALE_BITS 24
#define GATE_ZERO -111.0 /* x exp(x) is 0 */
#define MISH_ONE 20.0    /* tanh(log(1 + exp(x))) is 1 */
#define PHI_ZERO 14.6    /* x times the normal distribution function is 0 at -x */
/* 2 sqrt(2 / pi) and 0.044715 times it, in two parts each */
#define GELU_C0 0x1.9884500000000p+0
#define GELU_C0_LO 1.93077895e-07
#define GELU_C1 0.0713548139
#define GELU_C1_LO 2.39883247e-09
#define GELU_TANH_ZERO 11.0 /* gelu_tanh is 0 at -x */

/* (exp(r) - 1 - r) / r^2, |r| <= ln 2 / 2: 2^-25.8 of expm1 */
static const real exp_poly[] = {0.499999970f, 0.166665435f, 0.0416672044f, 0.00836652052f,
                                0.00138823956f};
/* (2 atanh(s) - 2 s) / s^3 in s^2, |s| <= 0.1717: 2^-30.1 of atanh */
static const real log_poly[] = {0.666667759f, 0.399775684f, 0.298715949f};
/* V and U of v_mills and v_tail_split, 2^-27.3 of the quotient. Both start at 3/4 of a power of 2,
 * where roundings are small: near 0, no other error is smaller than theirs. */
#define MILLS_SLOPE 2.50659964
static const real mills_v[] = {0.750000004f, 0.65774368f, 0.275076148f, 0.0610252372f,
                               0.00618567594f};
static const real mills_u[] = {1.5f, 0.632365096f, 0.155982178f, 0.015290103f, 1.13153054e-5f};
/* (a - tanh a) / a^3 in a^2, a <= 1: 2^-25.0 of it */
static const real tanh_shrink_poly[] = {0.333333343f,   -0.133334130f,   0.0539785624f,
                                        -0.0219153631f, 0.00893240329f,  -0.00353886629f,
                                        0.00115811336f, -0.000208225756f};
