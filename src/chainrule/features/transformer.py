"""What scikit-learn asks of a transformer, without scikit-learn.

The arguments of `__init__` are the parameters: stored unchanged under their own names, listed by
`get_params`, changed by `set_params`, so that `sklearn.base.clone`, pipelines and searches work.
What is learnt ends with an underscore. This module knows no images.
"""

from __future__ import annotations

import inspect
from typing import Any

from chainrule.core.spec import Array
from chainrule.errors import ArgumentError, nearest, need


class Transformer:
    """Base of the transformers: parameters, `fit_transform`, and a repr of what is not default."""

    def fit(self, images: Any, y: Any = None) -> Any:
        """Learn what there is to learn from the training images and return self."""
        raise NotImplementedError

    def transform(self, images: Any) -> Array:
        """Return the features of `images`, (n, features)."""
        raise NotImplementedError

    def fit_transform(self, images: Any, y: Any = None) -> Array:
        """Return `fit(images).transform(images)`."""
        return self.fit(images, y).transform(images)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; `deep` adds those of parts, as in `part__name`."""
        own = {name: getattr(self, name) for name in _parameters(type(self))}
        inner = {
            f"{part}__{name}": value
            for part, feature in (self._parts().items() if deep else ())
            if hasattr(feature, "get_params")
            for name, value in feature.get_params(deep=True).items()
        }
        return own | inner

    def set_params(self, **params: Any) -> Any:
        """Change parameters (`name` or `part__name`) and return self; raises ArgumentError."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise ArgumentError(
                    f"{type(self).__name__}.set_params: no parameter {name!r}", hint=nearest(name, known)
                )
            part, _, rest = name.partition("__")
            if rest:
                self._parts()[part].set_params(**{rest: value})
            else:
                setattr(self, name, value)
        return self

    def _parts(self) -> dict[str, Any]:
        return {}

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn (which alone asks) that this takes images and gives features."""
        tags = need("sklearn.utils", for_="the tags of scikit-learn")
        return tags.Tags(
            estimator_type=None,
            target_tags=tags.TargetTags(required=False),
            transformer_tags=tags.TransformerTags(),
            input_tags=tags.InputTags(two_d_array=False, three_d_array=True),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return any(name.endswith("_") and not name.startswith("_") for name in vars(self))

    def __repr__(self) -> str:
        default = _parameters(type(self))
        changed = (
            f"{name}={value!r}"
            for name, value in self.get_params(deep=False).items()
            if repr(value) != repr(default[name])
        )
        return f"{type(self).__name__}({', '.join(changed)})"


def _parameters(kind: type[Any]) -> dict[str, Any]:
    """Return the parameters of a transformer and their defaults."""
    signature = inspect.signature(kind.__init__).parameters.values()
    return {each.name: each.default for each in signature if each.name != "self"}
