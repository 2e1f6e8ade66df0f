# Calls of a program that need no pass of their own over memory.
#
# An elementwise call that follows a product, a convolution or a pooling's backward works on each
# of its blocks while the block is in the cache: an activation, an activation's backward, the
# update of the weights by their gradient.  It computes from the same values as by itself, so
# the bits are the same.  What nothing else reads is not kept: a result is made where its
# activation shall be; each block of a gradient goes to the update and is forgotten, which
# spares the memory a third of the traffic of large layers.
#
# The other way round a pooling's backward is made by the gradient of a net's first convolution,
# image by image: what it would write is the largest array of many a net, and read once.

_ACTIVATIONS = frozenset({"relu", "sigmoid", "tanh"})
_BACKWARDS = frozenset({"relu_backward", "sigmoid_backward", "tanh_backward"})
_UPDATES = frozenset({"sgd_update", "adam_update", "rmsprop_update", "adagrad_update"})

# What is made in blocks: whose finish it is, its place among the arrays, what may follow it.
_FOLLOWED = {
    "linear": (OF_Y, 3, _ACTIVATIONS),
    "conv2d": (OF_Y, 3, _ACTIVATIONS),
    "linear_backward": (OF_DX, 3, _BACKWARDS),
    "conv2d_backward": (OF_DX, 3, _BACKWARDS),
    "max_pool2d_backward": (OF_DX, 2, _BACKWARDS),
}
_FEW_CHANNELS = 8  # from which on filters may be transformed, which is not made image by image
_MANY_IMAGES = 16  # for each to be one task's

# The calls that may be made on the blocks of another.
FOLLOWERS = {name: names for name, (_, _, names) in _FOLLOWED.items()}


cdef bint any_shared(some, others) except -1:
    for a in some:
        for b in others:
            if a is not None and b is not None and np_may_share_memory(a, b):
                return True
    return False


def np_may_share_memory(a, b) -> bool:
    import numpy

    return isinstance(a, numpy.ndarray) and isinstance(b, numpy.ndarray) and (
        numpy.may_share_memory(a, b))


cdef tuple bounds(array):
    """The addresses of the first byte and behind the last."""
    import numpy

    return numpy.lib.array_utils.byte_bounds(array)


cdef bint any_meets(list ranges, arrays) except -1:
    """Whether one of them has bytes in one of some ranges of memory."""
    import numpy

    for each in arrays:
        if isinstance(each, numpy.ndarray) and each.size:
            begin, end = bounds(each)
            for low, high in ranges:
                if begin < high and low < end:
                    return True
    return False


cdef list without(list ranges, tuple taken):
    """The ranges but for one."""
    parts = []
    for low, high in ranges:
        parts += [(low, min(high, taken[0])), (max(low, taken[1]), high)]
    return [(low, high) for low, high in parts if low < high]


cdef class Fusion:
    """Finds the calls of a tape that can follow a product's blocks, and makes them do so."""

    cdef Tape tape

    def __cinit__(self, Tape tape):
        self.tape = tape

    def run(self, list kept):
        """Join what can be joined; the gradients that are not kept, of arrays not in ``kept``."""
        cdef int i
        cdef list passed_on = []
        for i in range(self.tape.count):
            if self.tape.items[i].kind != KERNEL:
                continue
            name = self.tape.calls[i][0]
            if name in _FOLLOWED:
                slot, made, names = _FOLLOWED[name]
                self.follow(i, slot, made, names, kept)
            if name == "conv2d_backward" and self.precede(i, kept):
                passed_on.append(self.arrays(i)[0])
            if name == "linear_backward":
                updated = self.update(i)
                if updated and not self.is_read(self.arrays(i)[4], i + 1, updated, kept):
                    self.tape.items[i].call.passes_on = True
                    passed_on.append(self.arrays(i)[4])
        return passed_on

    cdef list arrays(self, int item):
        return self.tape.kernels[item][1]

    cdef tuple operands(self, int item):
        """The arrays that a call may read, and those that it only writes to."""
        cdef Kernel kernel
        cdef int k
        if self.tape.kernels[item] is None:
            return self.tape.keep[item], []
        kernel, arrays = self.tape.kernels[item]
        roles = [kernel.slots[k].role for k in range(kernel.count)]
        roles = [role in (OUT, OUT64, OUTLABELS) for role in roles if role != NUMBER]
        return (
            [array for array, is_output in zip(arrays, roles) if not is_output],
            [array for array, is_output in zip(arrays, roles)
             if is_output and array is not None and array is not False],
        )

    cdef follow(self, int i, int slot, int made, frozenset names, list kept):
        """The next call, if it reads what was made, and writes apart from the product."""
        cdef int j = i + 1
        cdef Call *product = &self.tape.items[i].call
        cdef Call *follower
        if j >= self.tape.count or self.tape.items[j].kind != KERNEL:
            return
        follower = &self.tape.items[j].call
        arrays, follows = self.arrays(i), self.arrays(j)
        if arrays[made] is None or self.tape.calls[j][0] not in names:
            return
        if follower.array[0] != product.array[made] or arrays[made].size != follows[0].size:
            return
        # It may read what the product reads, but nothing that other tasks are still to write.
        if any_shared(follows[len(follows) - 1:], arrays) or (
            any_shared(follows[1:len(follows) - 1], self.operands(i)[1])
        ):
            return
        self.join(i, j, slot)
        if not self.is_read(arrays[made], j + 1, 0, kept) and (
            not any_shared(follows[len(follows) - 1:], follows[1:len(follows) - 1])
        ):
            product.array[made] = follower.array[0] = follower.array[len(follows) - 1]

    cdef bint precede(self, int j, list kept) except -1:
        """Let a convolution's weight gradient make the pooling's backward whose result nobody
        else reads, if nothing else is done with it in between."""
        cdef int i = j - 1
        cdef Call *call = &self.tape.items[j].call
        cdef Call *pooling
        while i > 0 and self.tape.items[i].kind == FUSED:
            i -= 1
        if i < 0 or self.tape.items[i].kind != KERNEL:
            return False
        if self.tape.kernels[i][0].name != "max_pool2d_backward":
            return False
        pooling = &self.tape.items[i].call
        dout, x, W = self.arrays(j)[:3]
        if pooling.array[2] != call.array[0] or self.arrays(i)[2].shape != dout.shape:
            return False
        if call.array[3] != NULL or call.array[4] == NULL:  # dx is wanted, or dW is not
            return False
        if x.shape[1] >= _FEW_CHANNELS or len(x) < _MANY_IMAGES or call.scalar[6] != 1:
            return False
        if pooling.finish[OF_DX] != NULL and (
            self.tape.items[i + 1].call.array[len(self.arrays(i + 1)) - 1] != pooling.array[2]
        ):
            return False  # its gradient is kept, beside what follows it
        if any_shared([dout], [x, W]):
            return False
        # dW and db may lie where the pooling reads: they are written when all sums are made.
        if self.is_read(dout, j + 1, 0, kept):
            return False
        call.before, call.before_task = pooling, self.tape.items[i].task
        self.tape.items[i].kind = FUSED
        self.tape.calls[j] = (f"{self.tape.calls[i][0]}+conv2d_backward", self.tape.calls[j][1])
        self.tape.threads = 0
        return True

    cdef int update(self, int i) except -1:
        """Join the update by dW, if nothing in between has to do with it or may end the step;
        which call it is, or 0."""
        cdef int j, between
        gradient = self.arrays(i)[4]
        if gradient is None:
            return 0
        for j in range(i + 1, self.tape.count):
            if self.tape.items[j].kind == KERNEL and self.tape.calls[j][0] in _UPDATES:
                if self.tape.items[j].call.array[1] == self.tape.items[i].call.array[4]:
                    break
        else:
            return 0
        touched = self.arrays(j)
        product = self.arrays(i)
        # It may write to W, which dx has read by then; x and dout are still to be read.
        if any_shared(touched, [product[0], product[1], product[3], product[5]]):
            return 0
        for between in range(i + 1, j):
            if self.may_stop(between) or any_shared(touched, self.tape.keep[between]):
                return 0
        self.join(i, j, OF_DW)
        return j

    cdef bint is_read(self, array, int first, int reader, list kept) except -1:
        """Whether calls from ``first`` on but one, or the tape's owner, may read the array.

        Its memory may serve for others later: what is written anew is not read any more.
        """
        cdef int j
        cdef list left = [bounds(array)]
        for j in range(first, self.tape.count):
            if j == reader:
                continue
            read, written = self.operands(j)
            if any_meets(left, read):
                return True
            for each in written:
                if each.flags.c_contiguous:
                    left = without(left, bounds(each))
        return any_meets(left, kept)

    cdef bint may_stop(self, int item):
        cdef Item *each = self.tape.items[item]
        if each.kind == KERNEL:
            kernel = self.tape.kernels[item][0]
            return may_fail(kernel.name, kernel.arguments)
        return each.kind != FUSED and (each.data == &each.trouble or each.fatal != 0)

    cdef join(self, int i, int j, int slot):
        cdef Item *item = self.tape.items[i]
        item.call.finish[slot] = &self.tape.items[j].call
        item.call.finish_task[slot] = self.tape.items[j].task
        self.tape.items[j].kind = FUSED
        name, shapes = self.tape.calls[i]
        self.tape.calls[i] = (f"{name}+{self.tape.calls[j][0]}", shapes)
        self.tape.threads = 0
