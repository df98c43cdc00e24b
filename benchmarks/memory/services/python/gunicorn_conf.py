"""gunicorn as the services here run it: threaded workers that start afresh, on PORT."""

import os

bind = f"127.0.0.1:{os.environ['PORT']}"
worker_class = "gthread"
workers = 2
threads = 4
worker_tmp_dir = os.environ["SCRATCH"]
control_socket_disable = True
