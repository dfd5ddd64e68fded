"""What can be read off an array that went through dropout."""

import numpy as np


def dropped(out: np.ndarray, h: np.ndarray) -> dict:
    """Return what random dropout did to `h`, in the order in which it is judged.

    Args:
        out: What came out.
        h: What went in: (rows, …), no zeros.

    Example:
        >>> dropped(np.array([[2.0, 0.0]]), np.array([[1.0, 3.0]]))["the share of units kept"]
        0.5
    """
    ratio = (np.asarray(out) / h).reshape(len(h), -1)
    kept = ratio != 0
    share = kept.mean()
    even = np.sqrt(kept.shape[1] * share * (1 - share))  # spread of a row's survivors, by chance
    return {
        "the mean": float(ratio.mean()),
        "the variance": float(ratio.var()),
        "the share of units kept": float(share),
        "the share of rows with a mask of their own": len(np.unique(kept, axis=0)) / len(kept),
        "the share of rows that stay or go as a whole": shared(kept, 1),
        "each unit is decided on its own": bool(0.4 * even <= kept.sum(1).std() <= 1.7 * even),
    }


def shared(kept: np.ndarray, axis: int) -> float:
    """Return the share of lines along an axis that are kept, or dropped, as a whole.

    Example:
        >>> shared(np.array([[True, True], [True, False]]), axis=1)
        0.5
    """
    kept = np.asarray(kept)
    return float((kept.all(axis=axis) | ~kept.any(axis=axis)).mean())
