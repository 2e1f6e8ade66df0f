# Calls of a program that need no pass of their own over memory.
#
# An elementwise call that follows a product works on each of its blocks while the block is in the
# cache: an activation, an activation's backward, the update of the weights by their
# gradient.  It computes from the same values as by itself, so the bits are the same.  A gradient
# that nothing but its update reads is not kept: each block of it goes to the update and is
# forgotten, which spares the memory a third of the traffic of large layers.

_FOLLOW_LINEAR = frozenset({"relu", "sigmoid", "tanh"})
_FOLLOW_DX = frozenset({"relu_backward", "sigmoid_backward", "tanh_backward"})
_UPDATES = frozenset({"sgd_update", "adam_update", "rmsprop_update", "adagrad_update"})


cdef bint any_shared(list some, list others) except -1:
    for a in some:
        for b in others:
            if a is not None and b is not None and np_may_share_memory(a, b):
                return True
    return False


def np_may_share_memory(a, b) -> bool:
    import numpy

    return isinstance(a, numpy.ndarray) and isinstance(b, numpy.ndarray) and (
        numpy.may_share_memory(a, b))


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
            if name == "linear":
                self.follow(i, OF_Y, 3, _FOLLOW_LINEAR)
            elif name == "linear_backward":
                self.follow(i, OF_DX, 3, _FOLLOW_DX)
                if self.update(i) and not self.is_read_later(i, kept):
                    self.tape.items[i].call.passes_on = True
                    passed_on.append(self.arrays(i)[4])
        return passed_on

    cdef list arrays(self, int item):
        return self.tape.kernels[item][1]

    cdef follow(self, int i, int slot, int made, frozenset names):
        """The next call, if it reads what was made, and writes apart from the product."""
        cdef int j = i + 1
        if j >= self.tape.count or self.tape.items[j].kind != KERNEL:
            return
        product = self.arrays(i)
        if product[made] is None or self.tape.calls[j][0] not in names:
            return
        follower = self.arrays(j)
        if self.tape.items[j].call.array[0] != self.tape.items[i].call.array[made]:
            return
        if product[made].size != follower[0].size:
            return
        written = follower[len(follower) - 1]
        if any_shared([written], product) or any_shared(follower[1:], product):
            return
        self.join(i, j, slot)

    cdef bint update(self, int i) except -1:
        """The update by dW, if nothing in between has to do with it or may end the step."""
        cdef int j, between
        gradient = self.arrays(i)[4]
        if gradient is None:
            return False
        for j in range(i + 1, self.tape.count):
            if self.tape.items[j].kind == KERNEL and self.tape.calls[j][0] in _UPDATES:
                if self.tape.items[j].call.array[1] == self.tape.items[i].call.array[4]:
                    break
        else:
            return False
        touched = self.arrays(j)
        product = self.arrays(i)
        # It may write to W, which dx has read by then; x and dout are still to be read.
        if any_shared(touched, [product[0], product[1], product[3], product[5]]):
            return False
        for between in range(i + 1, j):
            if self.may_stop(between) or any_shared(touched, self.tape.keep[between]):
                return False
        self.join(i, j, OF_DW)
        return True

    cdef bint is_read_later(self, int i, list kept) except -1:
        """Whether another call than the update, or the owner of the tape, may read dW."""
        cdef int j
        cdef list gradient = [self.arrays(i)[4]]
        if any_shared(gradient, kept):
            return True
        for j in range(i + 1, self.tape.count):
            if &self.tape.items[j].call != self.tape.items[i].call.finish[OF_DW] and (
                any_shared(gradient, self.tape.keep[j])
            ):
                return True
        return False

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
