/* cuBLASLt behind cuda_linear.h, and the choice between it and the kernel for few rows. It counts
 * in columns: y^T = W x^T, where a row-major matrix is its transpose by columns. Where it has no
 * algorithm with an epilogue, the plain product is followed by a kernel for bias and activation. */
#include "engine/cuda/cuda_linear.h"

#include <cublasLt.h>
#include <stdlib.h>

enum { PLANS = 512 };

/* What a plan depends on. */
struct plan_key {
    int64_t outputs, inputs, rows, x_stride, y_stride;
    enum device_type type, y_type;
    cublasLtEpilogue_t epilogue;
    uint32_t weight_align, x_align, y_align; /* bytes, powers of two */
    bool accumulate;
};

struct plan {
    struct plan_key key;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t weight, x, y;
    cublasLtMatmulAlgo_t algorithm;
    bool has_bias;
    bool unsupported; /* no algorithm: only of a plan with an epilogue */
};

struct cuda_linear_context {
    cublasLtHandle_t handle;
    int multiprocessors;
    bool overlaps; /* the device can start a kernel before its predecessor has ended */
    struct plan plans[PLANS];
    int count;
};

int cuda_linear_open(struct cuda_linear_context **out, const struct cudaDeviceProp *properties,
                     struct error *error)
{
    enum { OVERLAP_MAJOR = 9, OVERLAP_ARCHITECTURE = 10 * OVERLAP_MAJOR };
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the plans of matrix products");
    (*out)->multiprocessors = properties->multiProcessorCount;
    /* Code for older devices, compiled anew for this one by its driver, does not wait. */
    (*out)->overlaps =
        properties->major >= OVERLAP_MAJOR && kernel_skinny_architecture() >= OVERLAP_ARCHITECTURE;
    cublasStatus_t status = cublasLtCreate(&(*out)->handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        (*out)->handle = NULL;
        return error_set(error, ERROR_FAILED, "cuBLASLt cannot be opened: status %d", (int)status);
    }
    return 0;
}

bool cuda_linear_overlaps(const struct cuda_linear_context *context)
{
    return context->overlaps;
}

static void plan_free(struct plan *plan)
{
    if (plan->operation != NULL)
        (void)cublasLtMatmulDescDestroy(plan->operation);
    cublasLtMatrixLayout_t layouts[] = {plan->weight, plan->x, plan->y};
    for (int i = 0; i < 3; i++)
        if (layouts[i] != NULL)
            (void)cublasLtMatrixLayoutDestroy(layouts[i]);
    *plan = (struct plan){0};
}

void cuda_linear_close(struct cuda_linear_context *context)
{
    if (context == NULL)
        return;
    for (int i = 0; i < context->count; i++)
        plan_free(&context->plans[i]);
    if (context->handle != NULL)
        (void)cublasLtDestroy(context->handle);
    free(context);
}

static cudaDataType_t data_type(enum device_type type)
{
    static const cudaDataType_t types[] = {
        [DEVICE_F32] = CUDA_R_32F, [DEVICE_F16] = CUDA_R_16F, [DEVICE_BF16] = CUDA_R_16BF};
    return types[type];
}

/* The largest power of two up to 256 that divides an address. */
static uint32_t alignment(const void *address)
{
    uint32_t align = 256;
    while ((uintptr_t)address % align != 0)
        align /= 2;
    return align;
}

/* The epilogue that fuses bias and activation; CUBLASLT_EPILOGUE_DEFAULT where there is none. The
 * fused GELU is the tanh form. */
static cublasLtEpilogue_t choose_epilogue(const struct cuda_linear_call *call)
{
    bool has_bias = call->projection->bias != NULL;
    switch (call->activation) {
    case DEVICE_IDENTITY:
        return has_bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
    case DEVICE_GELU_TANH:
        return has_bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    case DEVICE_RELU:
        return has_bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    default:
        return CUBLASLT_EPILOGUE_DEFAULT;
    }
}

static bool epilogue_has_bias(cublasLtEpilogue_t epilogue)
{
    return epilogue == CUBLASLT_EPILOGUE_BIAS || epilogue == CUBLASLT_EPILOGUE_GELU_BIAS ||
           epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
}

static struct plan_key make_key(const struct cuda_linear_call *call, cublasLtEpilogue_t epilogue)
{
    return (struct plan_key){
        .outputs = call->projection->outputs,
        .inputs = call->projection->inputs,
        .rows = call->rows,
        .x_stride = call->x_stride,
        .y_stride = call->y_stride,
        .type = call->type,
        .y_type = call->y_type,
        .epilogue = epilogue,
        .weight_align = alignment(call->projection->weight),
        .x_align = alignment(call->x),
        .y_align = alignment(call->y),
        .accumulate = call->accumulate,
    };
}

static bool same_key(const struct plan_key *a, const struct plan_key *b)
{
    return a->outputs == b->outputs && a->inputs == b->inputs && a->rows == b->rows &&
           a->x_stride == b->x_stride && a->y_stride == b->y_stride && a->type == b->type &&
           a->y_type == b->y_type && a->epilogue == b->epilogue &&
           a->weight_align == b->weight_align && a->x_align == b->x_align &&
           a->y_align == b->y_align && a->accumulate == b->accumulate;
}

static bool done(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_SUCCESS;
}

static bool make_layouts(struct plan *plan)
{
    const struct plan_key *key = &plan->key;
    cublasOperation_t transposed = CUBLAS_OP_T;
    cudaDataType_t type = data_type(key->type), y_type = data_type(key->y_type);
    uint64_t outputs = (uint64_t)key->outputs, inputs = (uint64_t)key->inputs;
    return done(cublasLtMatmulDescCreate(&plan->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F)) &&
           done(cublasLtMatmulDescSetAttribute(plan->operation, CUBLASLT_MATMUL_DESC_TRANSA,
                                               &transposed, sizeof transposed)) &&
           done(cublasLtMatmulDescSetAttribute(plan->operation, CUBLASLT_MATMUL_DESC_EPILOGUE,
                                               &key->epilogue, sizeof key->epilogue)) &&
           done(cublasLtMatrixLayoutCreate(&plan->weight, type, inputs, outputs, key->inputs)) &&
           done(cublasLtMatrixLayoutCreate(&plan->x, type, inputs, (uint64_t)key->rows,
                                           key->x_stride)) &&
           done(cublasLtMatrixLayoutCreate(&plan->y, y_type, outputs, (uint64_t)key->rows,
                                           key->y_stride));
}

static bool set_bias(const struct plan *plan, const void *bias)
{
    return !plan->has_bias ||
           done(cublasLtMatmulDescSetAttribute(plan->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                               &bias, sizeof bias));
}

/* Asks cuBLASLt for its best guess; false where it has none. */
static bool find_algorithm(struct cuda_linear_context *context, struct plan *plan)
{
    cublasLtMatmulPreference_t preference = NULL;
    if (!done(cublasLtMatmulPreferenceCreate(&preference)))
        return false;
    size_t workspace = CUDA_LINEAR_WORKSPACE;
    const struct plan_key *key = &plan->key;
    const struct {
        cublasLtMatmulPreferenceAttributes_t name;
        const void *value;
        size_t bytes;
    } attributes[] = {
        {CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &key->weight_align, sizeof(uint32_t)},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &key->x_align, sizeof(uint32_t)},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &key->y_align, sizeof(uint32_t)},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &key->y_align, sizeof(uint32_t)},
    };
    bool ready = true;
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
        ready =
            ready && done(cublasLtMatmulPreferenceSetAttribute(
                         preference, attributes[i].name, attributes[i].value, attributes[i].bytes));
    cublasLtMatmulHeuristicResult_t result = {0};
    int found = 0;
    ready = ready && done(cublasLtMatmulAlgoGetHeuristic(context->handle, plan->operation,
                                                         plan->weight, plan->x, plan->y, plan->y,
                                                         preference, 1, &result, &found));
    (void)cublasLtMatmulPreferenceDestroy(preference);
    plan->algorithm = result.algo;
    return ready && found > 0 && done(result.state);
}

/* The plan of this key, made where it is new; NULL where nothing can serve it. A full table starts
 * anew: a cell has few shapes. */
static struct plan *find_plan(struct cuda_linear_context *context,
                              const struct cuda_linear_call *call, cublasLtEpilogue_t epilogue)
{
    struct plan_key key = make_key(call, epilogue);
    for (int i = 0; i < context->count; i++)
        if (same_key(&context->plans[i].key, &key))
            return &context->plans[i];
    if (context->count == PLANS) {
        for (int i = 0; i < PLANS; i++)
            plan_free(&context->plans[i]);
        context->count = 0;
    }
    struct plan *plan = &context->plans[context->count];
    *plan = (struct plan){.key = key, .has_bias = epilogue_has_bias(epilogue)};
    if (!make_layouts(plan) || !set_bias(plan, call->projection->bias)) {
        plan_free(plan);
        return NULL;
    }
    plan->unsupported = !find_algorithm(context, plan);
    context->count++;
    return plan;
}

static cudaError_t run_plan(struct cuda_linear_context *context, struct plan *plan,
                            const struct cuda_linear_call *call)
{
    float beta = call->accumulate ? 1 : 0;
    if (!set_bias(plan, call->projection->bias))
        return cudaErrorUnknown;
    cublasStatus_t status =
        cublasLtMatmul(context->handle, plan->operation, &call->alpha, call->projection->weight,
                       plan->weight, call->x, plan->x, &beta, call->y, plan->y, call->y, plan->y,
                       &plan->algorithm, call->workspace, CUDA_LINEAR_WORKSPACE, call->stream);
    if (status == CUBLAS_STATUS_SUCCESS)
        return cudaSuccess;
    return status == CUBLAS_STATUS_EXECUTION_FAILED ? cudaErrorLaunchFailure : cudaErrorUnknown;
}

/* By cuBLASLt; `is_finished` where bias and activation are in it. */
static cudaError_t run_cublaslt(struct cuda_linear_context *context,
                                const struct cuda_linear_call *call, bool *is_finished)
{
    cublasLtEpilogue_t epilogue = choose_epilogue(call);
    *is_finished = epilogue != CUBLASLT_EPILOGUE_DEFAULT;
    struct plan *plan = find_plan(context, call, epilogue);
    if (*is_finished && (plan == NULL || plan->unsupported)) {
        *is_finished = false;
        plan = find_plan(context, call, CUBLASLT_EPILOGUE_DEFAULT);
    }
    if (plan == NULL || plan->unsupported)
        return cudaErrorNotSupported;
    return run_plan(context, plan, call);
}

static struct skinny_call make_skinny(const struct cuda_linear_context *context,
                                      const struct cuda_linear_call *call)
{
    return (struct skinny_call){
        .type = call->type,
        .y_type = call->y_type,
        .weight = call->projection->weight,
        .bias = call->projection->bias,
        .x = call->x,
        .y = call->y,
        .x_stride = call->x_stride,
        .y_stride = call->y_stride,
        .rows = call->rows,
        .outputs = call->projection->outputs,
        .inputs = call->projection->inputs,
        .alpha = call->alpha,
        .accumulate = call->accumulate,
        .gated = call->gated,
        .activation = call->activation,
        .partials = call->workspace,
        .partial_bytes = CUDA_LINEAR_WORKSPACE,
        .counters = call->counters,
        .multiprocessors = context->multiprocessors,
        .overlap = context->overlaps,
        .stream = call->stream,
    };
}

static cudaError_t gate(const struct cuda_linear_call *call)
{
    struct gate_call gate = {
        .type = call->y_type,
        .y = call->y,
        .rows = call->rows,
        .width = call->projection->outputs / 2,
        .activation = call->activation,
        .stream = call->stream,
    };
    return kernel_gate(&gate);
}

cudaError_t cuda_linear_run(struct cuda_linear_context *context,
                            const struct cuda_linear_call *call)
{
    struct skinny_call skinny = make_skinny(context, call);
    if (skinny_serves(&skinny))
        return kernel_skinny(&skinny);
    struct cuda_linear_call plain = *call;
    plain.activation = call->gated ? DEVICE_IDENTITY : call->activation;
    bool is_finished = false;
    cudaError_t status = run_cublaslt(context, &plain, &is_finished);
    if (status == cudaSuccess && !is_finished &&
        (call->projection->bias != NULL || plain.activation != DEVICE_IDENTITY)) {
        struct activate_call rest = {
            .type = call->y_type,
            .y = call->y,
            .bias = call->projection->bias,
            .rows = call->rows,
            .width = call->projection->outputs,
            .stride = call->y_stride,
            .activation = plain.activation,
            .stream = call->stream,
        };
        status = kernel_activate(&rest);
    }
    return status == cudaSuccess && call->gated ? gate(call) : status;
}
