# SPDX-License-Identifier: Apache-2.0
"""Load from threads of a test: each calls until it is told to stop, and nothing that goes wrong is passed over."""

import threading

from mesh import wait_until


class Callers:
    """`runs`: what each thread does, called with its number; it looks at `stopping`, adds its answers to counts[number], and says in
    `failures` what went wrong."""

    def __init__(self, runs):
        self.failures, self.stopping = [], threading.Event()
        self.counts = [0] * len(runs)
        self.threads = [threading.Thread(target=run, args=(number,), daemon=True) for number, run in enumerate(runs)]

    def wait_for(self, more):
        """Until each caller has had so many further answers."""
        before = list(self.counts)
        wait_until(lambda: self.failures or all(now >= then + more for now, then in zip(self.counts, before)), "more answers")
        assert not self.failures, self.failures

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
