"""Announces the data provider to mqd. Light: pyarrow and numpy are imported when the provider is built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mqd_core.api import DataContext, DataProviderRecord, hookimpl
from mqd_plugin_files.settings import FilesSettings

if TYPE_CHECKING:
    from mqd_plugin_files.provider import FileDataProvider


def _build(settings: FilesSettings, context: DataContext) -> FileDataProvider:
    from mqd_plugin_files.provider import FileDataProvider

    return FileDataProvider(settings, context)


@hookimpl
def mqd_data_providers() -> Iterator[DataProviderRecord[FilesSettings]]:
    """Yield the one provider of this distribution."""
    yield DataProviderRecord(
        name="files",
        summary="One-minute bars from CSV and Parquet files",
        settings=FilesSettings,
        factory=_build,
        has_history=True,
        has_live=False,
    )
