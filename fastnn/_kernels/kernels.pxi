# All kernels, compiled once for each instruction set by a shim that includes this file, and
# handed to the doorway as one table of function pointers in a capsule.

from cpython.pycapsule cimport PyCapsule_New
from cython cimport floating
from libc.math cimport INFINITY, M_PI, cos, fabs, fabsf, floor, log, pow, powf, sin, sqrt, sqrtf
from libc.stdint cimport int32_t, int64_t, uint16_t
from libc.string cimport memcpy, memset

from fastnn._kernels.call cimport *

include "finish.pxi"
include "division.pxi"
include "gemm.pxi"
include "strips.pxi"
include "deep.pxi"
include "skinny.pxi"
include "narrow.pxi"
include "skinny_backward.pxi"
include "matmul.pxi"
include "activations.pxi"
include "class_losses.pxi"
include "real_losses.pxi"
include "optim.pxi"
include "gather.pxi"
include "patches.pxi"
include "winograd.pxi"
include "conv.pxi"
include "conv_weights.pxi"
include "conv_sums.pxi"
include "winograd_weights.pxi"
include "conv_backward.pxi"
include "pooling.pxi"
include "response_norm.pxi"
include "batch_norm.pxi"
include "dropout.pxi"
include "random.pxi"
include "augment.pxi"
include "peak.pxi"

cdef Code kernels[64]
cdef Table table


cdef void add(const char *name, plan_t plan, task_t single, task_t double_) noexcept:
    kernels[table.count].name = name
    kernels[table.count].plan = plan
    kernels[table.count].task[0] = single
    kernels[table.count].task[1] = double_
    table.count += 1


add("matmul", plan_matmul, <task_t> matmul[float], <task_t> matmul[double])
add("linear", plan_linear, <task_t> linear[float], <task_t> linear[double])
add(
    "linear_backward", plan_linear_backward,
    <task_t> linear_backward[float], <task_t> linear_backward[double])
add("relu", plan_elementwise, <task_t> relu[float], <task_t> relu[double])
add(
    "relu_backward", plan_elementwise,
    <task_t> relu_backward[float], <task_t> relu_backward[double])
add("sigmoid", plan_math, <task_t> sigmoid[float], <task_t> sigmoid[double])
add(
    "sigmoid_backward", plan_elementwise,
    <task_t> sigmoid_backward[float], <task_t> sigmoid_backward[double])
add("tanh", plan_math, <task_t> tanh[float], <task_t> tanh[double])
add(
    "tanh_backward", plan_elementwise,
    <task_t> tanh_backward[float], <task_t> tanh_backward[double])
add("softmax", plan_rows, <task_t> softmax[float], <task_t> softmax[double])
add(
    "softmax_backward", plan_rows,
    <task_t> softmax_backward[float], <task_t> softmax_backward[double])
add(
    "log_softmax", plan_log_softmax,
    <task_t> log_softmax[float], <task_t> log_softmax[double])
add(
    "log_softmax_backward", plan_rows,
    <task_t> log_softmax_backward[float], <task_t> log_softmax_backward[double])
add(
    "cross_entropy", plan_class_loss,
    <task_t> cross_entropy[float], <task_t> cross_entropy[double])
add(
    "hinge_loss", plan_class_loss,
    <task_t> hinge_loss[float], <task_t> hinge_loss[double])
add("mse_loss", plan_real_loss, <task_t> mse_loss[float], <task_t> mse_loss[double])
add("l1_loss", plan_real_loss, <task_t> l1_loss[float], <task_t> l1_loss[double])
add(
    "huber_loss", plan_real_loss,
    <task_t> huber_loss[float], <task_t> huber_loss[double])
add(
    "binary_cross_entropy", plan_real_loss,
    <task_t> binary_cross_entropy[float], <task_t> binary_cross_entropy[double])
add(
    "sgd_update", plan_elementwise,
    <task_t> sgd_update[float], <task_t> sgd_update[double])
add(
    "adam_update", plan_elementwise,
    <task_t> adam_update[float], <task_t> adam_update[double])
add(
    "rmsprop_update", plan_elementwise,
    <task_t> rmsprop_update[float], <task_t> rmsprop_update[double])
add(
    "adagrad_update", plan_elementwise,
    <task_t> adagrad_update[float], <task_t> adagrad_update[double])
add(
    "sum_of_squares", plan_sum_of_squares,
    <task_t> sum_of_squares[float], <task_t> sum_of_squares[double])
add("scale", plan_elementwise, <task_t> scale[float], <task_t> scale[double])
add(
    "clip_value", plan_elementwise,
    <task_t> clip_value[float], <task_t> clip_value[double])
add(
    "gather_rows", plan_gather_rows,
    <task_t> gather_rows[float], <task_t> gather_rows[double])
add(
    "gather_labels", plan_gather_labels,
    <task_t> gather_labels[float], <task_t> gather_labels[double])
add("conv2d", plan_conv2d, <task_t> conv2d[float], <task_t> conv2d[double])
add(
    "conv2d_backward", plan_conv2d_backward,
    <task_t> conv2d_backward[float], <task_t> conv2d_backward[double])
add("max_pool2d", plan_pooling, <task_t> max_pool2d[float], <task_t> max_pool2d[double])
add(
    "max_pool2d_backward", plan_pooling,
    <task_t> max_pool2d_backward[float], <task_t> max_pool2d_backward[double])
add("avg_pool2d", plan_pooling, <task_t> avg_pool2d[float], <task_t> avg_pool2d[double])
add(
    "avg_pool2d_backward", plan_pooling,
    <task_t> avg_pool2d_backward[float], <task_t> avg_pool2d_backward[double])
add(
    "local_response_norm", plan_norm,
    <task_t> local_response_norm[float], <task_t> local_response_norm[double])
add(
    "local_response_norm_backward", plan_norm,
    <task_t> local_response_norm_backward[float], <task_t> local_response_norm_backward[double])
add("batch_norm", plan_batch_norm, <task_t> batch_norm[float], <task_t> batch_norm[double])
add(
    "batch_norm_eval", plan_batch_norm_eval,
    <task_t> batch_norm_eval[float], <task_t> batch_norm_eval[double])
add(
    "batch_norm_backward", plan_batch_norm_backward,
    <task_t> batch_norm_backward[float], <task_t> batch_norm_backward[double])
add("dropout", plan_elementwise, <task_t> dropout[float], <task_t> dropout[double])
add("random_uniform", plan_math, <task_t> random_uniform[float], <task_t> random_uniform[double])
add("random_normal", plan_math, <task_t> random_normal[float], <task_t> random_normal[double])
add(
    "random_integers", plan_math,
    <task_t> random_integers[float], <task_t> random_integers[double])
add(
    "draw_transforms", plan_draw_transforms,
    <task_t> draw_transforms[float], <task_t> draw_transforms[double])
add(
    "gather_images", plan_gather_images,
    <task_t> gather_images[float], <task_t> gather_images[double])
table.kernels = kernels
table.peak_rounds = peak_rounds
table.flops_per_round[0], table.flops_per_round[1] = FN_PEAK_FLOPS_32, FN_PEAK_FLOPS_64
