# SPDX-License-Identifier: Apache-2.0
"""gRPC's own interop cases, client and server by its Go implementation, through one weft and through two with mutual TLS between."""

import socket

import pytest

from judges import Judged, Server, judge, run
from mesh import wait_until

# All that need no cloud credentials, but pick_first_unary: that asks for a server that tells its own id, which Go's does not.
CASES = ["empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream", "timeout_on_sleeping_server",
         "cancel_after_begin", "cancel_after_first_response", "status_code_and_message", "special_status_message", "custom_metadata",
         "unimplemented_method", "unimplemented_service", "orca_per_rpc", "orca_oob"]
SOAKS = {"rpc_soak": 3000, "channel_soak": 500}     # calls, the second each on a connection of its own
SOAK_SECONDS = 120
# The client reads load reports only with the balancer that gRPC's description of these cases names.
FLAGS = {case: ["--service_config_json", '{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}']
         for case in ("orca_per_rpc", "orca_oob")}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


CHAINS = {"one proxy": (1, False), "one proxy, TLS": (1, True), "two proxies": (2, False)}


@pytest.fixture(scope="module", name="call", params=CHAINS)
def make_call(request, tmp_path_factory):
    """call(case, flag...): what the interop client says through the proxies."""
    client, port = judge("interop-client"), free_port()
    folder = tmp_path_factory.mktemp("interop")
    proxies, tls = CHAINS[request.param]
    with Judged(folder) as judged:
        judged.keep(Server(folder, judge("interop-server"), "--port", port))
        wait_until(lambda: answers(port), "the interop server")
        host, entry = judged.chain(("127.0.0.1", port), proxies, tls)
        secure = ["--use_tls", "--use_test_ca", "--ca_file", judged.authority.bundle, "--server_host_override", "judged"] if tls else []
        yield lambda case, *flags: run(client, "--server_host", host, "--server_port", entry, *secure, "--test_case", case, *flags,
                                       timeout=SOAK_SECONDS + 30)


@pytest.mark.parametrize("case", CASES)
def test_case(call, case):
    done = call(case, *FLAGS.get(case, ()))
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.full
@pytest.mark.parametrize("case", SOAKS)
def test_soak(call, case):
    done = call(case, "--soak_iterations", SOAKS[case], "--soak_max_failures", 0, "--soak_num_threads", 2,
                "--soak_per_iteration_max_acceptable_latency_ms", 5000, "--soak_overall_timeout_seconds", SOAK_SECONDS)
    assert done.returncode == 0, done.stderr[-2000:]
