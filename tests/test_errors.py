"""The tree of errors: each is the user's to mend, and some are Python's own, too."""

import pytest

from swag import errors
from swag.config import settings

NAMES = [name for name in vars(errors) if name.endswith("Error")]


@pytest.mark.parametrize("name", NAMES)
def test_every_error_is_one_of_ours_and_is_drawn_in_the_tree(name):
    assert issubclass(getattr(errors, name), errors.SwagError)
    assert name in errors.__doc__


def test_errors_that_python_has_are_those_as_well():
    assert issubclass(errors.SettingsError, ValueError)
    assert issubclass(errors.DependencyError, ImportError)
    assert not issubclass(errors.ResourceError, errors.SettingsError)


def test_what_a_setting_says_is_not_wrapped_by_the_model_that_checks_it():
    with pytest.raises(errors.SettingsError) as error:
        settings(style_loss="gran")
    assert str(error.value).startswith("no loss is called 'gran'; did you mean gram?")
    with pytest.raises(ValueError, match="no smoothing is called 'sofmax'"):
        settings(smoothing="sofmax")
