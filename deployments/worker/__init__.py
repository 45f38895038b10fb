"""The warm worker: learns of runs at once, and forks their processes from one that is loaded.

``__main__`` starts a worker for each pool, ``waking`` tells them that a run is due, ``warm_worker``
has Prefect's own worker take it on, ``forking`` and ``supervision`` make its process and watch it.
On the other side of the fork are ``fork_server`` and ``forked_run``. Why it is built like this:
docs/adr/0005-warm-worker.md.
"""
