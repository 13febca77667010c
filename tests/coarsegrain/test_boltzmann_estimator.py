"""The estimator behind scikit-learn's interface: its numbers, its manners, and scikit-learn where it is."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse

from deeprg.coarsegrain.boltzmann import BoltzmannMachine, Gaussian, Potts, Spin, log_likelihood
from deeprg.runs.errors import UsageError

pytestmark = pytest.mark.slow

OPTIMISED = True
BITS = np.array(np.meshgrid(*[[0, 1]] * 4)).reshape(4, -1).T


def rows(count=400, seed=0):
    """Four bits that are nearly always alike, mostly 1."""
    rng = np.random.default_rng(seed)
    return (rng.random((count, 1)) < 0.7) ^ (rng.random((count, 4)) < 0.03)


@pytest.fixture(scope="module")
def fitted():
    return BoltzmannMachine(3, learning_rate=0.5, batch_size=20, n_iter=200, random_state=1).fit(rows())


def free_energies(model, X):
    """F(v) in bits from the public arrays, in numpy."""
    field = X @ model.components_.T.astype(float) + model.intercept_hidden_
    return -X @ model.intercept_visible_.astype(float) - np.logaddexp(0, field).sum(1)


def test_it_learns_the_law_of_the_data(fitted):
    weights = np.exp(-free_energies(fitted, BITS))
    p = weights / weights.sum()
    np.testing.assert_allclose(np.exp(fitted.score_samples(BITS)), p, rtol=1e-4)
    alike = p[(BITS[:, :1] == BITS).all(1)].sum()
    expected = (rows()[:, :1] == rows()).all(1).mean()
    assert abs(alike - expected) < 0.05
    independent = BoltzmannMachine(3, learning_rate=1e-9, batch_size=20, n_iter=1, random_state=1).fit(rows())
    assert fitted.score(rows(seed=9)) > independent.score(rows(seed=9)) + 0.5


def test_transform_gibbs_and_attributes(fitted):
    X = rows(10)
    probability = 1 / (1 + np.exp(-(X @ fitted.components_.T + fitted.intercept_hidden_)))
    np.testing.assert_allclose(fitted.transform(X), probability, atol=1e-6)
    assert fitted.components_.shape == (3, 4)
    assert fitted.h_samples_.shape == (20, 3)
    assert fitted.n_features_in_ == 4
    assert list(fitted.get_feature_names_out()) == [f"boltzmannmachine{i}" for i in range(3)]
    v = np.ones((20_000, 4))
    h = 1 / (1 + np.exp(-(v[0] @ fitted.components_.T + fitted.intercept_hidden_)))
    drawn = fitted.gibbs(v)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    every = np.array(np.meshgrid(*[[0, 1]] * 3)).reshape(3, -1).T
    weight = np.prod(np.where(every == 1, h, 1 - h), axis=1)
    mean = weight @ (1 / (1 + np.exp(-(every @ fitted.components_ + fitted.intercept_visible_))))
    error = np.sqrt(mean * (1 - mean) / len(v))
    assert (np.abs(drawn.mean(0) - mean) < 4.5 * error).all()
    assert not np.array_equal(drawn, fitted.gibbs(v))


def test_pseudo_likelihood_is_the_sum_of_conditionals(fitted):
    X = np.tile([[1, 1, 0, 1]], (4000, 1))
    own = free_energies(fitted, X[:1])
    terms = []
    for site in range(4):
        flipped = X[:1].copy()
        flipped[0, site] ^= 1
        terms.append(-np.logaddexp(0, own - free_energies(fitted, flipped))[0])
    found = fitted.pseudo_likelihood_samples(X)
    assert abs(found.mean() - sum(terms)) < 4 * 4 * np.std(terms) / np.sqrt(len(X))
    np.testing.assert_allclose(
        np.unique(found.round(3)), np.unique(np.round(4 * np.array(terms), 3)), atol=2e-3
    )
    assert np.array_equal(found, fitted.pseudo_likelihood_samples(X))


def test_large_machines_are_normalised_by_annealing(fitted, monkeypatch):
    exact = fitted.log_partition()
    assert exact[1] == 0.0
    other = pickle.loads(pickle.dumps(fitted))
    other._normalisation = None
    monkeypatch.setattr("deeprg.coarsegrain.boltzmann._estimator._EXACT_UNITS", 1)
    estimate, error = other.log_partition()
    assert 0 < error < 0.05
    assert abs(estimate - exact[0]) < 4 * error
    other._normalisation = None
    monkeypatch.setattr("deeprg.coarsegrain.boltzmann._estimator._AIS_CHAINS", 5)
    with pytest.warns(RuntimeWarning, match="temperatures"):
        other.log_partition()


def test_partial_fit_goes_on_and_forgets_the_old_normalisation():
    model = BoltzmannMachine(3, learning_rate=0.5, random_state=0, batch_size=20)
    data = rows(20_000)
    first = model.partial_fit(data[:20]).score(data)
    for start in range(20, 20_000, 20):
        model.partial_fit(data[start : start + 20])
    assert model.h_samples_.shape == (20, 3)
    assert model.score(data) > first + 0.2
    np.testing.assert_allclose(model.score_samples(BITS), log_likelihood(model.machine_, BITS), atol=1e-5)


@pytest.mark.parametrize(
    ("units", "data"),
    [
        ("spin", 2.0 * rows() - 1),
        (("binary", "gaussian"), rows()),
        ((Gaussian(0.5), "binary"), np.random.default_rng(0).normal(size=(50, 4))),
        ((Potts(2), Spin()), np.eye(2)[rows()[:, :2].astype(int)].reshape(-1, 4)),
    ],
)
def test_units_of_any_kind_and_contrastive_divergence(units, data):
    model = BoltzmannMachine(2, units=units, algorithm="cd", k=2, n_iter=1, random_state=0).fit(data)
    np.testing.assert_allclose(model.score_samples(data), log_likelihood(model.machine_, data), atol=1e-4)
    assert model.transform(data).shape == (len(data), 2)
    assert model.h_samples_.shape == (0, 2)


def test_grey_values_and_sparse_rows_are_taken_as_bernoulli_rbm_does(fitted):
    grey = np.random.default_rng(0).random((50, 4))
    model = BoltzmannMachine(2, n_iter=2, random_state=0).fit(grey)
    field = grey @ model.components_.T + model.intercept_hidden_
    np.testing.assert_allclose(model.transform(grey), 1 / (1 + np.exp(-field)), atol=1e-6)
    with pytest.raises(UsageError, match="X holds 0"):
        model.score_samples(grey)
    X = rows(10).astype(float)
    assert np.array_equal(fitted.transform(scipy.sparse.csr_array(X)), fitted.transform(X))


def test_seeds_decide_the_numbers():
    def weights(state):
        return BoltzmannMachine(2, random_state=state).partial_fit(rows(50)).components_

    assert np.array_equal(weights(3), weights(3))
    assert not np.array_equal(weights(3), weights(4))
    for make in (np.random.default_rng, np.random.RandomState):
        assert np.array_equal(weights(make(0)), weights(make(0)))
    assert not np.array_equal(weights(None), weights(None))


def test_parameters_and_their_errors(capsys):
    model = BoltzmannMachine(5, learning_rate=0.5)
    assert model.get_params()["n_components"] == 5
    assert repr(model) == "BoltzmannMachine(n_components=5, learning_rate=0.5)"
    assert model.set_params(k=2) is model
    BoltzmannMachine(2, n_iter=2, verbose=1, random_state=0).fit(rows())
    assert "pseudo-likelihood = -" in capsys.readouterr().out
    X = rows(20)
    cases = [
        (lambda: model.set_params(n_component=1), "Did you mean 'n_components'"),
        (lambda: model.transform(X), "call fit"),
        (lambda: BoltzmannMachine(0).fit(X), "n_components = 0"),
        (lambda: BoltzmannMachine(learning_rate=0).fit(X), "learning_rate = 0"),
        (lambda: BoltzmannMachine(algorithm="pdc").fit(X), "Did you mean 'pcd'"),
        (lambda: BoltzmannMachine(k=0).fit(X), "steps = 0"),
        (lambda: BoltzmannMachine(units=("spin",)).fit(X), "pair"),
        (lambda: BoltzmannMachine(units="bits").fit(X), "bits"),
        (lambda: BoltzmannMachine().fit(2 * X), "X holds 2"),
        (lambda: BoltzmannMachine().fit(X[0]), r"shape \(4,\)"),
        (lambda: BoltzmannMachine(2, n_iter=1).fit(X).transform(X[:, :3]), "4 features"),
    ]
    for call, message in cases:
        with pytest.raises(UsageError, match=message):
            call()


def test_scikit_learn_is_not_imported():
    code = "import sys, deeprg.coarsegrain.boltzmann; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_it_works_in_a_pipeline_a_grid_search_and_clone():
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline
    from sklearn.utils.validation import check_is_fitted

    X = rows()
    y = X.sum(1) > 2
    model = BoltzmannMachine(3, learning_rate=0.5, n_iter=50, random_state=0)
    pipeline = Pipeline([("rbm", model), ("classifier", LogisticRegression())])
    assert pipeline.fit(X, y).score(X, y) > 0.9
    assert "BoltzmannMachine" in repr(pipeline)
    check_is_fitted(pipeline.named_steps["rbm"])
    copied = clone(model)
    assert copied.get_params() == model.get_params()
    assert not hasattr(copied, "components_")
    search = GridSearchCV(model, {"learning_rate": [1e-4, 0.5]}, cv=2).fit(X)
    assert search.best_params_ == {"learning_rate": 0.5}
