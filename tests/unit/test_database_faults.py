"""Whose fault an exception of the database is."""

from __future__ import annotations

import sqlite3

import psycopg.errors
import pytest
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnectionError

from shared.database_faults import Fault, fault_of


def sqlite_error(name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(name)
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("cause", "fault"),
    [
        (psycopg.errors.DeadlockDetected(), Fault.CONFLICT),
        (psycopg.errors.SerializationFailure(), Fault.CONFLICT),
        (psycopg.errors.DiskFull(), Fault.OVERLOADED),
        (psycopg.errors.TooManyConnections(), Fault.OVERLOADED),
        (psycopg.errors.AdminShutdown(), Fault.OVERLOADED),
        (psycopg.errors.LockNotAvailable(), Fault.OVERLOADED),
        (psycopg.errors.ConnectionFailure(), Fault.GONE),
        (psycopg.OperationalError("connection refused"), Fault.GONE),
        (psycopg.errors.ProgramLimitExceeded(), Fault.OURS),
        (sqlite_error("SQLITE_FULL"), Fault.OVERLOADED),
        (sqlite_error("SQLITE_BUSY_SNAPSHOT"), Fault.OVERLOADED),
        (sqlite_error("SQLITE_IOERR_WRITE"), Fault.OVERLOADED),
        (sqlite_error("SQLITE_CANTOPEN"), Fault.GONE),
        (sqlite_error("SQLITE_ERROR"), Fault.OURS),
    ],
    ids=repr,
)
def test_what_the_database_says_tells_whose_fault_it_is(cause: Exception, fault: Fault) -> None:
    assert fault_of(OperationalError("", {}, cause)) is fault


def test_a_connection_that_broke_is_the_databases_fault_whatever_it_said() -> None:
    assert fault_of(DataError("", {}, ValueError(), connection_invalidated=True)) is Fault.GONE
    assert fault_of(InterfaceError("", {}, ValueError())) is Fault.GONE


def test_that_all_connections_are_in_use_is_nobodys_fault() -> None:
    assert fault_of(NoFreeConnectionError()) is Fault.OVERLOADED


def test_what_the_database_refuses_and_what_is_no_error_of_it_is_ours() -> None:
    assert fault_of(IntegrityError("", {}, ValueError())) is Fault.OURS
    assert fault_of(RecursionError()) is Fault.OURS
    assert [fault.passes for fault in Fault] == [True, True, True, False]
