"""The pytest plugin: fixtures for shops, and the bookkeeping of the contract suite.

pytest imports this at the start of every run where the library is installed, so it and what it imports stay light.
"""

from voucher_gateway.testing.hooks import (
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_runtest_makereport,
    pytest_sessionfinish,
    pytest_terminal_summary,
)
from voucher_gateway.testing.pytest_fixtures import voucher_gateway, voucher_simulator

__all__ = [
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_runtest_makereport",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "voucher_gateway",
    "voucher_simulator",
]
