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

# Brokers that are there, in place of those that would be started; connections to them are told.
# bootstrap = "127.0.0.1:9092"
# brokers = 2         # so many are started otherwise

# A page that says more of it, Prometheus text or expvar: goroutines, the heap in use.
# metrics_url = "http://127.0.0.1:{port2}/metrics"

# [service.other]
# command = "./other --listen 127.0.0.1:{port}"

# One that runs already has no command, and is left running. Which process is watched is found by
# who listens at url, or is told by one of these, as on the command line:
#   pid_file = "ingest.pid"       target_port = 9000        target_pid = 4711
#   target_unit = "ingest"        target_container = "0123456789ab"
#   target_command = "ingest .*--prod"      all_targets = true  # each that matches, not one
#   no_target = true              # none is: it is only driven
# On another host an agent watches it (docs/agent.md):
#   agent = ["https://staging:9666"]        agent_token_file = "token"      agent_ca = "ca.pem"
#   agent_cert = "run.pem"        agent_key = "run.key"     # where it wants a certificate too
# [service.staging]
# url = "http://127.0.0.1:8080"

[load]
# The options of a run, with dashes or underscores; `tidemark run --help` lists them.
rate = 10            # requests per second
run_time = "60s"     # of `tidemark run` and `tidemark compare`
# settle = 10        # seconds in which it may warm up: recorded, and not judged
# batch_size = 1
# workload = "open"  # or "closed": users wait for answers

# What is sent, in place of batches of messages to /ingest. Which of them leaks is told apart.
# docs/requests.md has the rest: headers, files of bodies, success, accepted counts.
# routes = [{path = "/orders", body = '{"id": {seq}}', weight = 9}, {path = "/orders/{seq}"}]
"""
