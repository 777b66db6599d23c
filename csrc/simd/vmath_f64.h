/* vmath_f64.h - vmath.h's constants for double. */
#define SQRT_2 1.4142135623730951
#define LN2_HI 0x1.62e42feep-1 /* 32 bits, so that n * LN2_HI is exact */
#define LN2_LO 0x1.a39ef35793c76p-33
#define EXP_MAX 710.0   /* exp is inf */
#define EXP_MIN -746.0  /* exp is 0 */
#define EXPM1_MIN -40.0 /* expm1 is -1 */
#define TANH_ONE 20.0   /* tanh is 1 */
#define LOG_SCALE 0x1p54
#define LOG_SCALE_BITS 54
#define GATE_ZERO -755.0 /* x exp(x) is 0 */
#define MISH_ONE 40.0    /* tanh(log(1 + exp(x))) is 1 */
#define PHI_ZERO 39.0    /* x times the normal distribution function is 0 at -x */
/* 2 sqrt(2 / pi) and 0.044715 times it, in two parts each */
#define GELU_C0 0x1.9884533d43660p+0
#define GELU_C0_LO -3.430362161966579e-15
#define GELU_C1 0.071354816272600249
#define GELU_C1_LO -6.175149918155315e-19
#define GELU_TANH_ZERO 22.0 /* gelu_tanh is 0 at -x */

/* (exp(r) - 1 - r) / r^2, |r| <= ln 2 / 2: 2^-54.8 of expm1 */
static const real exp_poly[] = {
    0.50000000000000056,   0.16666666666666588,    0.041666666666576799,  0.0083333333333906676,
    0.0013888888931570334, 0.00019841269717044637, 2.4801505258464613e-5, 2.7557409020970061e-6,
    2.7626045336475935e-7, 2.5053369658017586e-8};
/* (2 atanh(s) - 2 s) / s^3 in s^2, |s| <= 0.1717: 2^-59.4 of atanh */
static const real log_poly[] = {0.66666666666667351, 0.39999999999409347, 0.28571428743692368,
                                0.22222198427818354, 0.18183572444344315, 0.15313829131764897,
                                0.14798296664131960};
/* V and U of v_mills and v_tail_split, 2^-59.9 of the quotient. Both start at 3/4 of a power of 2,
 * where roundings are small: near 0, no other error is smaller than theirs. */
#define MILLS_SLOPE 2.5066282746304281
static const real mills_v[] = {0.75,
                               1.2419172410748338,
                               1.0194620396148276,
                               0.53605586147255725,
                               0.19808868840276426,
                               0.053508467928415053,
                               0.010685991374698128,
                               0.0015598690840789058,
                               0.00015989503212113498,
                               1.0466720863817356e-5,
                               3.363795513386179e-7};
static const real mills_u[] = {1.5,
                               1.8006901173811448,
                               1.1126420514488236,
                               0.44690536495894809,
                               0.12656838753608022,
                               0.025992634249972163,
                               0.0038575400324055706,
                               0.00039911103795936436,
                               2.6236178767164202e-5,
                               8.4317848973738708e-7,
                               5.0750150016067938e-17};
/* (a - tanh a) / a^3 in a^2, a <= 1: 2^-54.0 of it */
static const real tanh_shrink_poly[] = {
    0.33333333333333331,    -0.13333333333333330,   0.053968253968251577,  -0.021869488536052514,
    0.0088632355275716987,  -0.0035921280042931071, 0.0014558340900369903, -0.00059002552327838762,
    0.00023912009911767240, -9.6883726863238761e-5, 3.9193875551722733e-5, -1.5745778514232487e-5,
    6.1771976227486483e-6,  -2.2771942613267923e-6, 7.3729960400405396e-7, -1.8958394494756395e-7,
    3.3231532347976804e-8,  -2.8978459143444478e-9};
