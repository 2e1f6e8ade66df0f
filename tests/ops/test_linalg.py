"""Linear algebra against formulas of matrix calculus, and where matrices are singular."""

from __future__ import annotations

import numpy as np
import pytest
from ops.harness import leaf

from fastnn.tensor import Tensor

A = np.array([[4.0, 1.0, 0.5], [0.3, 3.0, -0.2], [0.5, 0.7, 2.0]])
SYMMETRIC = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])
SINGULAR = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.5, 2.0]])


def gradient(f, x: np.ndarray) -> np.ndarray:
    t = Tensor(x, requires_grad=True)
    f(t).backward()
    return t.grad


def test_formulas() -> None:
    """The Matrix Cookbook (Petersen, Pedersen, 2012), (57), (49), (63), (41), (118)."""
    inverse = np.linalg.inv(A)
    for f, expected in (
        (lambda x: np.linalg.slogdet(x)[1], inverse.T),
        (np.linalg.det, np.linalg.det(A) * inverse.T),
        (lambda x: np.trace(np.linalg.inv(x)), -(inverse @ inverse).T),
        (lambda x: np.log(np.linalg.det(x @ x.T)), 2 * inverse.T),
        (lambda x: np.linalg.norm(x), A / np.linalg.norm(A)),
        (lambda x: np.trace(np.linalg.matrix_power(x, 3)), 3 * (A @ A).T),
    ):
        np.testing.assert_allclose(gradient(f, A), expected, rtol=1e-12, atol=1e-12)


def test_eigenvalues_move_along_their_vectors() -> None:
    """d lambda_i = v_i^T dA v_i, for symmetric A."""
    values, vectors = np.linalg.eigh(SYMMETRIC)
    for i in range(3):
        expected = np.outer(vectors[:, i], vectors[:, i])
        for f in (np.linalg.eigvalsh, lambda x: np.linalg.eigh(x).eigenvalues):
            found = gradient(lambda x, f=f, i=i: f(x)[i], SYMMETRIC)
            np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(Tensor(SYMMETRIC)).data)


def test_functions_of_equal_eigenvalues() -> None:
    """What does not depend on the choice of vectors has its gradient where values are equal."""
    identity = np.eye(3)

    def trace_of_square(x: Tensor) -> Tensor:
        values, _ = np.linalg.eigh(x)
        return np.sum(values**2)

    np.testing.assert_allclose(gradient(trace_of_square, identity), 2 * identity, atol=1e-12)
    assert np.allclose(gradient(lambda x: np.linalg.norm(x, "nuc"), identity), identity)


def test_svd_rebuilds_its_matrix() -> None:
    x = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.1]])
    g = np.array([[1.0, -2.0], [3.0, 0.5], [-1.0, 4.0]])
    for each, by in ((x, g), (x.T, g.T)):
        t = Tensor(each, requires_grad=True)
        u, s, vt = np.linalg.svd(t, full_matrices=False)
        ((u * s) @ vt).backward(by)
        np.testing.assert_allclose(t.grad, by, atol=1e-12)
    with pytest.raises(TypeError, match=r"np\.linalg\.svd .* wants full_matrices=False"):
        np.linalg.svd(t)


def test_results_have_numpys_names() -> None:
    t = Tensor(SYMMETRIC, requires_grad=True)
    assert np.linalg.eigh(t).eigenvectors.requires_grad
    assert np.linalg.slogdet(t).logabsdet.requires_grad
    assert np.linalg.slogdet(t).sign == 1
    assert np.linalg.svd(t).Vh.requires_grad


def test_factorizations_of_symmetric_matrices_share_among_triangles() -> None:
    for f in (np.linalg.cholesky, np.linalg.eigvalsh):
        found = gradient(lambda x, f=f: np.sum(f(x)), SYMMETRIC)
        np.testing.assert_allclose(found, found.T, atol=1e-12)


def test_det_of_a_singular_matrix_has_cofactors_for_its_gradient() -> None:
    cofactors = np.array(
        [
            [4 * 2 - 6 * 0.5, -(2 * 2 - 6 * 1), 2 * 0.5 - 4 * 1],
            [-(2 * 2 - 3 * 0.5), 1 * 2 - 3 * 1, -(1 * 0.5 - 2 * 1)],
            [2 * 6 - 3 * 4, -(1 * 6 - 3 * 2), 1 * 4 - 2 * 2],
        ]
    )
    np.testing.assert_allclose(gradient(np.linalg.det, SINGULAR), cofactors, atol=1e-12)
    assert np.all(gradient(np.linalg.det, np.zeros((3, 3))) == 0)
    # Rank 1 less than full: what is left is the product of the others.
    np.testing.assert_allclose(gradient(np.linalg.det, np.diag([2.0, 3, 0])), np.diag([0, 0, 6.0]))


def test_the_second_derivative_of_a_singular_det_is_refused_by_name() -> None:
    t = Tensor(SINGULAR, requires_grad=True)
    np.linalg.det(t).backward(create_graph=True)
    first, t.grad = t.grad, None
    with pytest.raises(TypeError, match="cofactors of a singular matrix has no derivative"):
        np.sum(first).backward()


def test_singular_matrices_are_refused_as_numpy_does() -> None:
    t = Tensor(SINGULAR, requires_grad=True)
    for f in (np.linalg.inv, lambda x: np.linalg.solve(x, np.ones(3))):
        with pytest.raises(np.linalg.LinAlgError, match="Singular"):
            f(t)
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        np.linalg.cholesky(t)


@pytest.mark.parametrize("order", [None, 2, "fro", "nuc", 1, np.inf])
def test_norms_are_flat_at_the_origin(order: object) -> None:
    assert np.all(np.isfinite(gradient(lambda x: np.linalg.norm(x, order), np.zeros((2, 2)))))
    for f in (np.linalg.norm, np.linalg.vector_norm):
        assert np.all(gradient(f, np.zeros(3)) == 0)


def test_the_zero_norm_counts() -> None:
    t = leaf(1, 0, 3)
    assert np.linalg.norm(t, 0) == 2
    assert np.linalg.norm(t[None], 0, axis=1).tolist() == [2]


def test_least_squares_solve_the_normal_equations(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((5, 2)), rng.standard_normal(5)
    g = np.array([1.0, -2.0])
    ours, theirs = (Tensor(a, requires_grad=True) for _ in range(2))
    np.linalg.lstsq(ours, b, rcond=None)[0].backward(g)
    np.linalg.solve(theirs.T @ theirs, theirs.T @ b).backward(g)
    np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-9)


def test_what_linalg_has_no_derivative_for_is_refused_by_name() -> None:
    t = Tensor(A, requires_grad=True)
    for name in ("qr", "eig", "eigvals", "cond", "tensorinv", "matrix_rank"):
        with pytest.raises(TypeError, match=rf"np\.linalg\.{name} is not supported"):
            getattr(np.linalg, name)(t)
