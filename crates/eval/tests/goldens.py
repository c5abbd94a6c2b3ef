"""Reference values of scikit-learn for tests/sklearn.rs: python goldens.py > goldens.json (scikit-learn 1.9, seconds).

Features are rounded to f32, as the crate reads them; they are in the file, so that no formula has to give the same bits.
"""
import json
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

warnings.filterwarnings("ignore")


def f32(x):
    return np.asarray(x, dtype=np.float32).astype(np.float64)


def numbers(x):
    return [float(v) for v in np.ravel(x)]


def calibration_error(probabilities, labels, bins=15):
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    error, edges = 0.0, np.linspace(0, 1, bins + 1)
    for low, high in zip(edges[:-1], edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += abs(right[inside].mean() - confidence[inside].mean()) * inside.mean()
    return float(error)


def logistic(classes):
    i, j = np.arange(30)[:, None], np.arange(5)
    x = f32(np.sin(0.7 * i + 1.3 * j) + 0.2 * np.cos(0.31 * i * (j + 2)))
    wave = 0.5 + 0.5 * np.sin(0.9 * i[:, 0] + 0.4 * np.sin(0.7 * i[:, 0]))
    y = np.floor(classes * wave).clip(0, classes - 1).astype(int)
    t = f32(np.cos(0.5 * np.arange(40)[:, None] + 0.8 * j))
    ty = (np.arange(40) * 7 % classes).astype(int)
    fits = []
    for c in (0.1, 1.0, 10.0):
        m = LogisticRegression(C=c, tol=1e-13, max_iter=100_000).fit(x, y)
        p = m.predict_proba(x)[np.arange(30), y]
        objective = 0.5 * (m.coef_ ** 2).sum() - c * np.log(p).sum()
        probabilities = m.predict_proba(t)
        fits.append({"c": c, "mean_objective": float(objective / (30 * c)), "decision": numbers(m.decision_function(t)),
                     "predictions": [int(v) for v in m.predict(t)], "accuracy": float((m.predict(t) == ty).mean()),
                     "calibration_error": calibration_error(probabilities, ty)})
    return {"classes": classes, "width": 5, "rows": numbers(x), "labels": y.tolist(), "test_rows": numbers(t), "test_labels": ty.tolist(), "fits": fits}


def svm():
    """LinearSVC as VISSL calls it, by its primal solver, which reaches the optimum (VISSL's dual stops near it)."""
    i, j = np.arange(36)[:, None], np.arange(6)
    x = np.sin(0.7 * i + 1.3 * j) + 0.3 * np.sin(0.11 * i * (j + 1))
    y = np.where(np.sin(1.9 * i[:, 0] + 0.3) + 0.9 * np.sin(0.09 * i[:, 0]) > 0.4, 1, -1)
    x = f32(x / (np.linalg.norm(x, axis=1) + 1e-5)[:, None])
    t = np.cos(0.5 * np.arange(5)[:, None] + 0.8 * j)
    t = f32(t / (np.linalg.norm(t, axis=1) + 1e-5)[:, None])
    folds = list(StratifiedKFold(3).split(x, y))
    out = []
    for c in (0.01, 1.0, 100.0, 1000.0):
        def fit(rows):
            return LinearSVC(C=c, class_weight={1: 2, -1: 1}, dual=False, tol=1e-13, max_iter=100_000).fit(x[rows], y[rows])
        m = fit(np.arange(36))
        scores = [average_precision_score(y[held] == 1, fit(rows).decision_function(x[held])) for rows, held in folds]
        out.append({"c": c, "weight": numbers(m.coef_), "bias": float(m.intercept_[0]), "decision": numbers(m.decision_function(t)),
                    "cross_validated": float(np.mean(scores))})
    return {"width": 6, "rows": numbers(x), "positive": (y == 1).tolist(), "test_rows": numbers(t), "fits": out}


def folds():
    """Which fold holds out every row."""
    out = []
    for n, k, salt in ((17, 3, 1), (23, 5, 2), (40, 3, 3), (11, 2, 4), (12, 4, 5)):
        y = np.where(np.sin(salt * np.arange(n) ** 2) > 0.2, 1, -1)
        of_row = np.zeros(n, dtype=int)
        for fold, (_, held) in enumerate(StratifiedKFold(k).split(np.zeros((n, 1)), y)):
            of_row[held] = fold
        assert min((y == 1).sum(), (y == -1).sum()) >= k
        out.append({"folds": k, "positive": (y == 1).tolist(), "fold_of_row": of_row.tolist()})
    return out


print(json.dumps({"logistic": [logistic(3), logistic(2)], "svm": svm(), "folds": folds()}))
