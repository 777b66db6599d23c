"""Models as estimators of scikit-learn: its own checks, and what they do not ask."""

import pickle
import random
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")

import sklearn
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_regressor_multioutput,
    parametrize_with_checks,
)

import coreops
from coreops import Sequential, layers
from coreops.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer


def network(X, y, loss="mse", units=(16,), activation=None, dtype=None):
    """A network for data of any size; functions of a module can be pickled."""
    model = Sequential(
        [
            layers.Input(X.shape[1:]),
            *[layers.Dense(size, activation="relu", dtype=dtype) for size in units],
            layers.Dense(y.shape[1], activation=activation, dtype=dtype),
        ]
    )
    model.compile("rmsprop", loss)
    return model


def classifier(**changes):
    kwargs = {"loss": "categorical_crossentropy", "activation": "softmax", "units": (20, 20)}
    arguments = {
        "model": network,
        "model_kwargs": kwargs,
        "fit_kwargs": {"epochs": 5, "verbose": 0},
    }
    return SKLearnClassifier(**{**arguments, **changes})


def regressor(**changes):
    return SKLearnRegressor(network, **{"fit_kwargs": {"verbose": 0}, **changes})


def transformer(**changes):
    return SKLearnTransformer(network, **{"fit_kwargs": {"verbose": 0}, **changes})


def fixed_model():
    model = Sequential(
        [
            layers.Input((4,)),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


# --- scikit-learn's own checks --------------------------------------------------------------

BATCHES = (
    "a step's mean is over the samples of a batch, as in Keras: a sample of weight 2 is not two "
    "samples, which are in other batches"
)
EXPECTED = {
    "SKLearnClassifier": {
        "check_sample_weight_equivalence_on_dense_data": BATCHES,
    },
    "SKLearnRegressor": {
        "check_sample_weight_equivalence_on_dense_data": BATCHES,
        "check_regressor_multioutput": "it wants float64, the model computes in float32",
    },
    "SKLearnTransformer": {"check_sample_weight_equivalence_on_dense_data": BATCHES},
}


@parametrize_with_checks(
    [classifier(), regressor(), transformer()],
    expected_failed_checks=lambda estimator: EXPECTED[type(estimator).__name__],
)
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_a_regressor_in_float64_has_predictions_in_float64():
    estimator = regressor(model_kwargs={"dtype": "float64"}, random_state=0)
    check_regressor_multioutput("SKLearnRegressor", estimator)


# --- scikit-learn as it is used ---------------------------------------------------------------


def test_labels_of_any_kind():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    estimator = make_pipeline(StandardScaler(), classifier(random_state=1))
    estimator.fit(X, names, sklearnclassifier__epochs=60, sklearnclassifier__batch_size=8)
    assert estimator.score(X, names) > 0.95
    assert estimator.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    raw = estimator.decision_function(X)
    assert raw.shape == (150, 3)
    assert (estimator.classes_[raw.argmax(-1)] == estimator.predict(X)).all()


def test_two_classes_have_one_column():
    X, y = make_classification(40, random_state=0)
    estimator = classifier().fit(X, y == 1)
    decision = estimator.decision_function(X)
    assert decision.shape == (40,)
    assert (estimator.predict(X) == (decision > 0)).all()
    assert set(estimator.predict(X)) <= {True, False}


def test_probabilities():
    X, y = load_iris(return_X_y=True)
    estimator = classifier().fit(X, y)
    found = estimator.predict_proba(X)
    assert found.shape == (150, 3)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-5)
    estimator = classifier(model_kwargs={"activation": None, "loss": "mse", "units": (4,)})
    with pytest.raises(ValueError, match="are no probabilities"):
        estimator.fit(X, y).predict_proba(X)


def test_targets_of_one_axis_and_of_two():
    X, y = make_regression(60, 5, random_state=0)
    both = np.stack([y, -y], axis=1)
    assert regressor().fit(X, y).predict(X).shape == (60,)
    assert regressor().fit(X, y[:, None]).predict(X).shape == (60, 1)
    assert regressor().fit(X, both).predict(X).shape == (60, 2)
    scaled = (y - y.mean()) / y.std()
    estimator = regressor(random_state=0).fit(X, scaled, epochs=200, batch_size=8)
    assert estimator.score(X, scaled) > 0.95


def test_a_transformer_is_a_step_of_a_pipeline():
    X, y = make_classification(80, random_state=0)
    steps = make_pipeline(transformer(random_state=0), LogisticRegression())
    steps.fit(X, y)
    assert steps[:-1].transform(X).shape == (80, 1)
    assert transformer().fit_transform(X, y).shape == (80, 1)
    with pytest.raises(ValueError, match="requires y"):
        transformer().fit(X, None)


def test_a_grid_search_over_what_makes_the_model():
    X, y = make_classification(60, random_state=0)
    kwargs = classifier().model_kwargs
    grid = {"model_kwargs": [{**kwargs, "units": (4,)}, {**kwargs, "units": (32, 32)}]}
    search = GridSearchCV(classifier(random_state=0), grid, cv=3, error_score="raise")
    search.fit(X, y)
    assert search.best_params_["model_kwargs"] in grid["model_kwargs"]
    assert 0 <= search.best_score_ <= 1
    scores = cross_val_score(regressor(random_state=0), X, X[:, :2], cv=3)
    assert np.isfinite(scores).all()


def test_a_fitted_estimator_can_be_pickled():
    X, y = make_classification(60, 4, random_state=0)
    fitted = classifier(model=fixed_model()).fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.decision_function(X), fitted.decision_function(X))
    assert again.history_.history == fitted.history_.history
    again.fit(X, y)


def test_a_clone_has_all_arguments_and_a_model_of_its_own():
    estimator = classifier(model=fixed_model(), warm_start=True, random_state=3)
    twin = clone(estimator)
    assert twin.fit_kwargs == estimator.fit_kwargs
    assert (twin.warm_start, twin.random_state) == (True, 3)
    assert twin.model is not estimator.model
    X, y = make_classification(40, 4, random_state=0)
    before = estimator.model.get_weights()
    twin.fit(X, y)
    for old, new in zip(before, estimator.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_keywords_can_be_routed():
    X, y = make_classification(40, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        last = classifier().set_fit_request(epochs=True, sample_weight=True)
        first = StandardScaler().set_fit_request(sample_weight=False)
        steps = make_pipeline(first, last)
        steps.fit(X, y, epochs=2, sample_weight=np.ones(40))
    assert last.epoch_ == 2


# --- models, keywords, weights ----------------------------------------------------------------


def test_a_model_is_copied_for_each_fit():
    X, y = make_classification(40, 4, random_state=0)
    model = fixed_model()
    estimator = classifier(model=model).fit(X, y)
    first = estimator.model_
    assert first is not model
    assert model.history is None
    assert first.optimizer is not model.optimizer
    assert type(first.optimizer) is type(model.optimizer)
    assert list(estimator.history_.history) == ["accuracy", "loss"]
    assert estimator.fit(X, y).model_ is not first


def test_a_warm_start_goes_on():
    X, y = make_classification(64, 4, random_state=0)
    model = fixed_model()
    estimator = classifier(model=model, warm_start=True)
    estimator.fit(X, y, epochs=0)
    assert estimator.model_ is model
    assert estimator.epoch_ == 0
    estimator.fit(X, y, epochs=2)
    estimator.fit(X, y, epochs=3, initial_epoch=2)
    assert estimator.model_ is model
    assert int(model.optimizer.iterations) == 3 * 2
    assert estimator.epoch_ == 3
    with pytest.raises(ValueError, match="classes must be those"):
        estimator.fit(X, y + 1)
    with pytest.raises(ValueError, match="expecting 4 features"):
        estimator.fit(X[:, :3], y)
    made = classifier(warm_start=True).fit(X, y)
    first = made.model_
    assert made.fit(X, y).model_ is first


def test_keywords_of_fit_go_before_and_change_nothing():
    X, y = make_classification(40, random_state=0)
    estimator = classifier()
    estimator.fit(X, y, epochs=1)
    assert estimator.epoch_ == 1
    assert estimator.fit_kwargs == {"epochs": 5, "verbose": 0}
    assert estimator.fit(X, y).epoch_ == 5


def test_weights_of_samples_reach_the_model():
    X, y = make_classification(64, random_state=0)
    weight = np.where(y == 1, 1.0, 0.0)
    weight[np.argmin(y)] = 1e-3
    estimator = classifier(random_state=0).fit(X, y, sample_weight=weight, epochs=40)
    assert (estimator.predict(X) == 1).all()


# --- random numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["function", "model"])
def test_a_random_state_fixes_everything(given):
    X, y = make_classification(64, 4, random_state=0)
    model = fixed_model() if given == "model" else lambda X, y: fixed_model()
    arguments = {"model": model, "model_kwargs": None}
    threads = coreops.get_num_threads()
    outputs = []
    try:
        for count in (1, 2):
            coreops.set_num_threads(count)
            fitted = classifier(**arguments, random_state=7).fit(X, y)
            outputs.append(fitted.decision_function(X))
    finally:
        coreops.set_num_threads(threads)
    np.testing.assert_array_equal(*outputs)
    other = classifier(**arguments, random_state=8).fit(X, y)
    assert (other.decision_function(X) != outputs[0]).any()


def test_without_one_the_process_is_asked():
    X, y = make_classification(64, 4, random_state=0)
    outputs = []
    for _ in range(2):
        coreops.utils.set_random_seed(5)
        outputs.append(classifier().fit(X, y).decision_function(X))
    np.testing.assert_array_equal(*outputs)
    assert (classifier().fit(X, y).decision_function(X) != outputs[0]).any()


def test_a_random_state_leaves_no_trace():
    X, y = make_classification(64, 4, random_state=0)
    draws = []
    for fits in (False, True):
        coreops.utils.set_random_seed(11)
        coreops.random.uniform(())
        if fits:
            classifier(random_state=0).fit(X, y)
        draws.append([random.random(), np.random.rand(), float(coreops.random.uniform(()))])  # noqa: NPY002
    assert draws[0] == draws[1]


# --- errors -----------------------------------------------------------------------------------


def test_what_is_no_compiled_model_is_refused():
    X, y = make_classification(40, 4, random_state=0)
    with pytest.raises(RuntimeError, match="must be compiled with a loss and an optimizer"):
        classifier(model=Sequential([layers.Dense(2)])).fit(X, y)
    with pytest.raises(TypeError, match="`model` must be a model, or a function"):
        classifier(model="dense").fit(X, y)
    with pytest.raises(TypeError, match="must return a model"):
        classifier(model=lambda X, y: None, model_kwargs=None).fit(X, y)
    with pytest.raises(NotFittedError):
        classifier().predict(X)


def test_targets_that_do_not_fit_are_refused():
    X, y = make_classification(40, 4, random_state=0)
    with pytest.raises(ValueError, match="only one class, 1"):
        classifier().fit(X, np.ones(40, int))
    with pytest.raises(ValueError, match="Unknown label type"):
        classifier().fit(X, y + 0.5)
    with pytest.raises(ValueError, match="are zero"):
        regressor().fit(X, y, sample_weight=np.zeros(40))


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_scikit_learn_is_imported_when_it_is_needed():
    done = run("import sys, coreops; coreops.wrappers; assert 'sklearn' not in sys.modules")
    assert done.returncode == 0, done.stderr
    done = run(
        "import sys, coreops; sys.modules['sklearn'] = None; coreops.wrappers.SKLearnClassifier"
    )
    assert "ImportError: SKLearnClassifier needs scikit-learn" in done.stderr
    assert "pip install 'coreops[sklearn]'" in done.stderr


def test_there_is_nothing_else():
    assert {*coreops.wrappers.__all__} <= {*dir(coreops.wrappers)}
    with pytest.raises(AttributeError, match="no attribute 'SKLearnClusterer'"):
        _ = coreops.wrappers.SKLearnClusterer
