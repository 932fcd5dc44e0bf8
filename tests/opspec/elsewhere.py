"""Rows of the registry without a row in the table: where they are tested, and by which word.

The fused gradient of a row, `_name_grad`, needs no entry: the second order of `name` is its test.
"""

ELSEWHERE: dict[str, tuple[str, str]] = {
    # Made, copied, converted: no arithmetic and no table of cases.
    "to": ("test_tensor.py", "test_casts"),
    "clone": ("test_autograd.py", "test_clone_passes_the_gradient"),
    "contiguous": ("test_tensor.py", "is_contiguous"),
    "copy": ("test_creation.py", "test_copy_in_place"),
    "fill": ("test_creation.py", "fill_"),
    "empty": ("test_creation.py", "cr.empty"),
    "zeros": ("test_creation.py", "cr.zeros"),
    "ones": ("test_creation.py", "cr.ones"),
    "full": ("test_creation.py", "cr.full"),
    "empty_like": ("test_creation.py", "empty_like"),
    "zeros_like": ("test_creation.py", "zeros_like"),
    "ones_like": ("test_creation.py", "ones_like"),
    "full_like": ("test_creation.py", "full_like"),
    "_arange": ("test_creation.py", "test_arange"),
    "_linspace": ("test_creation.py", "test_linspace"),
    # Parts of rows of the table.
    "_clamp": ("opspec/pointwise.py", "clamp"),
    "_max_dim": ("opspec/reduce.py", "max"),
    "_min_dim": ("opspec/reduce.py", "min"),
    "_sum_squares": ("opspec/reduce.py", '"norm"'),
    "_constant_pad": ("opspec/shape.py", '"pad"'),
    "index": ("test_indexing.py", "test_get"),
    "index_put": ("test_indexing.py", "test_set"),
    "_logsumexp": ("opspec/reduce.py", "logsumexp"),
    "_cross_entropy": ("opspec/nn.py", "cross_entropy"),
    "_bce_with_logits": ("opspec/nn.py", "binary_cross_entropy_with_logits"),
    "_uniform": ("test_random.py", "test_uniform"),
    "_normal": ("test_random.py", "test_normal"),
    "_randint": ("test_random.py", "test_integers"),
    "_randperm": ("test_random.py", "test_permutations"),
    "_dropout": ("test_random.py", "test_dropout_scales_what_it_keeps"),
    "_dropout_grad": ("test_random.py", "test_dropout_gradient_uses_the_same_mask"),
    "_bounded_log": ("test_nn_layers.py", "binary_cross_entropy"),
    # A whole optimizer step in one call.
    "_sgd_step_": ("test_optim.py", "SGD"),
    "_adam_step_": ("test_optim.py", "Adam"),
    "_rmsprop_step_": ("test_optim.py", "RMSprop"),
    "_adagrad_step_": ("test_optim.py", "Adagrad"),
    "_adadelta_step_": ("test_optim.py", "Adadelta"),
    "_adamax_step_": ("test_optim.py", "Adamax"),
    # The rows that convolution and pooling and their gradients are made of.
    "_conv": ("test_conv.py", "test_gradients_of_the_family"),
    "_conv_input_grad": ("test_conv.py", "_conv_input_grad"),
    "_conv_weight_grad": ("test_conv.py", "_conv_weight_grad"),
    "_max_pool": ("test_pool.py", "test_max"),
    "_adaptive_max_pool": ("test_pool.py", "test_adaptive"),
    "_max_unpool": ("test_pool.py", "_max_unpool"),
    "_max_take": ("test_pool.py", "_max_take"),
    "_avg_pool_grad": ("test_pool.py", "_avg_pool_grad"),
    "_adaptive_avg_pool_grad": ("test_pool.py", "_adaptive_avg_pool_grad"),
    # Batch, instance and group normalization; layer and RMS normalization.
    "_plane_norm": ("opspec/norm.py", "group_norm"),
    "_plane_norm_grad": ("test_norm.py", "test_gradients"),
    "_plane_affine": ("test_norm.py", "test_gradient_of_evaluation"),
    "_row_norm": ("opspec/norm.py", "layer_norm"),
    "_row_norm_grad": ("test_norm.py", "test_gradients"),
}
