"""The commented `tidemark.toml` that `tidemark init` writes."""

EXAMPLE = """\
#:schema https://raw.githubusercontent.com/tidemark-soak/tidemark/main/docs/tidemark.schema.json
#
# What Tidemark starts, drives and watches. Put your own command below, then:
#
#     tidemark run mine                        # start it, drive it, judge it
#     tidemark compare --services mine,other   # the same load on each, one report
#     locust -f locustfiles/ingest.py --service mine
#
# What the command line or the environment (TIDEMARK_RATE=50) says wins over this file.

[service.mine]
# Serves it in the foreground. Split like a shell does, and run without one. In braces:
#   {port}             a free port of 127.0.0.1, where the requests go
#   {port2}, {port3}   further free ports, for metrics or a debugger
#   {bootstrap}        the brokers, host:port,...; they are started where this is asked for
#   {topic}            a topic of the run's own; the messages in it are counted at the end
#   {run_id}, {directory}
# {{ is a brace. Without {port}, the port that it listens on is found.
command = "python3 -m http.server --bind 127.0.0.1 {port}"

# Run once before each run, in the same directory.
# build = "make"

# Where both are run; the folder of this file if none.
# directory = "."

# Beside the variables of the environment. ${NAME} is taken from there, and never written down:
# that is the way for passwords and tokens, in the command too.
# environment = {LOG_LEVEL = "info", TOKEN = "${TOKEN}"}

# Up when a GET of this path answers below 400; without it, when its port accepts connections.
# ready = "/healthz"
# ready_timeout = 30

# Where the requests go, if neither {port} nor the port that it listens on says so.
# url = "https://127.0.0.1:{port}/api"

# Descriptor limit (RLIMIT_NOFILE) of this service alone: the lower, the sooner a leak kills it.
# fds_limit = 1024

# Whether it needs brokers; if {bootstrap} occurs above, unless this says otherwise.
# kafka = true

# Known to be clean: the others are compared with it.
# reference = false

# [service.other]
# command = "./other --listen 127.0.0.1:{port}"

[load]
# The options of a run, with dashes or underscores; `tidemark run --help` lists them.
rate = 10            # requests per second
run_time = "60s"     # of `tidemark run` and `tidemark compare`
# settle = 10        # seconds in which it may warm up: recorded, and not judged
# batch_size = 1
# workload = "open"  # or "closed": users wait for answers
"""
