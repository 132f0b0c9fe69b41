"""A port is free, taken by somebody, or not ours to use."""

import os
import socket

import psutil

from utils.ports import port_holder, port_refusal


def test_a_free_port_is_not_refused(free_port):
    assert port_refusal("127.0.0.1", free_port) is None
    assert port_holder(free_port) is None


def test_a_taken_port_names_its_holder():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        refusal = port_refusal("127.0.0.1", port)

    assert refusal == f"port {port} is taken by {psutil.Process().name()} (pid {os.getpid()})"


def test_an_address_of_another_machine_is_refused_with_the_reason(free_port):
    assert port_refusal("192.0.2.1", free_port).startswith(f"port {free_port} of 192.0.2.1 cannot be used: ")
