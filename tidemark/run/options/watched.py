"""What is watched of a service that runs already: its process, its metrics page, its agent."""

from tidemark.agent.named import read_agents
from tidemark.record import options as value
from tidemark.record.options import Option
from tidemark.record.roots import listed_ports, listed_roots
from tidemark.services.keys import service_url

METRICS_URL = Option(
    "metrics_url",
    service_url,
    "",
    "metrics page of the target, Prometheus text or expvar, read at every sample beside its "
    "process; with --no-target in place of it",
    "URL",
    in_form=False,
)
TARGET_PORT = Option(
    "target_port",
    listed_ports,
    0,
    "port of the target on 127.0.0.1 (0: any free one); of one that runs already: watch who "
    "listens there, of several with commas between each as a target of its own",
    "N,...",
    are_numbers=True,
    alias="--port",
)
TARGET_PID = Option(
    "target_pid",
    listed_roots,
    0,
    "of a service that runs already: the process to sample, children included (0: who "
    "listens); of several with commas between each is a target of its own, called ID",
    "[ID=]PID,...",
    are_numbers=True,
)
TARGET_COMMAND = Option(
    "target_command",
    value.line,
    "",
    "of a service that runs already: sample the process whose command line this regular "
    "expression matches",
    "PATTERN",
    in_form=False,
)
TARGET_UNIT = Option(
    "target_unit",
    value.one_word,
    "",
    "of a service that runs already: sample the processes of this systemd unit",
    "NAME",
    in_form=False,
)
TARGET_CONTAINER = Option(
    "target_container",
    value.one_word,
    "",
    "of a service that runs already: sample the processes of this container",
    "ID",
    in_form=False,
)
PID_FILE = Option(
    "pid_file",
    value.file,
    "",
    "of a service that runs already: sample the process whose id stands in this file",
    "FILE",
    in_form=False,
)
ALL_TARGETS = Option(
    "all_targets",
    value.flag,
    False,
    "of a service that runs already: where several processes match, sample all of them, each "
    "as a target of its own",
    is_flag=True,
)
NO_TARGET = Option(
    "no_target",
    value.flag,
    False,
    "of a service that runs already: drive it without watching a process",
    is_flag=True,
)
AGENT = Option(
    "agent",
    read_agents,
    (),
    "of a service that runs already on another host: fetch what the agent there records; "
    "repeatable: each is a target, called ID or as its host and port",
    "[ID=]URL",
    is_repeatable=True,
    in_form=False,
)
AGENT_TOKEN_FILE = Option(
    "agent_token_file",
    value.file,
    "",
    "file whose one line is the token that --agent wants to be shown",
    "FILE",
    in_form=False,
)
AGENT_CA = Option(
    "agent_ca",
    value.file,
    "",
    "who signed the certificate of --agent, PEM; the authorities of this system if none",
    "FILE",
    in_form=False,
)
AGENT_CERT = Option(
    "agent_cert",
    value.file,
    "",
    "the certificate that is shown to --agent, PEM, where it lets in only who has one",
    "FILE",
    in_form=False,
)
AGENT_KEY = Option(
    "agent_key",
    value.file,
    "",
    "the private key of --agent-cert, PEM",
    "FILE",
    in_form=False,
)
