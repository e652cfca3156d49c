"""Every setting of a run; presets and methods; one source for library and command line.

settings()                                         the default
settings("quick", method="strotss", size=512)      a preset, a method, a value
settings(**load(Path("mine.toml")))
"""

from swag.config.choose import check_known, one_spelling, settings
from swag.config.keywords import CommonSettings, SettingsKeywords
from swag.config.load import load
from swag.config.presets import METHODS, PRESETS, STYLED_STARTS, Preset
from swag.config.settings import LARGEST_SIZE, ORIGINAL, SMALLEST_SIZE, Settings, WhoseColors

__all__ = [
    "LARGEST_SIZE",
    "METHODS",
    "ORIGINAL",
    "PRESETS",
    "SMALLEST_SIZE",
    "STYLED_STARTS",
    "CommonSettings",
    "Preset",
    "Settings",
    "SettingsKeywords",
    "WhoseColors",
    "check_known",
    "load",
    "one_spelling",
    "settings",
]
