"""Documentation of the options that all modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the cluster and its user, and of waits."""

    DOCUMENTATION = r"""
requirements:
  - Python 3.11 or newer, on the machine that the module runs on
  - redis-enterprise-actions
notes:
  - The modules talk to the REST API of the cluster. Run them on C(localhost), or with
    C(delegate_to=localhost).
  - Each option of the connection that is not given is read from an environment variable of the
    same name, such as E(REDIS_ENTERPRISE_URL). The exceptions are E(REDIS_ENTERPRISE_USER) for
    O(username), and E(REDIS_ENTERPRISE_INSECURE) for the opposite of O(validate_certs).
  - A duration is a number of seconds, or a text such as V(30m), V(1h30m) or V(500ms).
options:
  url:
    description: URL of the REST API, such as V(https://cluster.example.com:9443), or a list of the
      URLs of the nodes.
    type: list
    elements: str
  username:
    description: Name of a user of the cluster.
    type: str
  password:
    description: Password of that user.
    type: str
  token:
    description: Token (JWT) to send in place of a user and a password.
    type: str
  auth:
    description: With V(jwt), the client requests a token for the user and the password, and renews
      it in time.
    type: str
    choices: [basic, jwt]
  client_cert:
    description: PEM file with a client certificate.
    type: path
  client_key:
    description: PEM file with the key of O(client_cert), if that file does not hold it.
    type: path
  ca_cert:
    description: PEM file with the certificates of the CAs to trust.
    type: path
  fingerprint:
    description: SHA-256 fingerprint of the one certificate to trust, in hexadecimal digits.
    type: str
  validate_certs:
    description: Whether the certificate of the cluster is verified. It is by default.
    type: bool
  trusted_hosts:
    description: Further hosts, V(host) or V(host:port), to which the cluster may redirect requests.
    type: list
    elements: str
  request_timeout:
    description: Duration that one request may take. The default is 30 seconds.
    type: str
  profile:
    description:
      - Name of a profile of C(redis-actions), which has the settings of the connection.
      - No other option of the connection can be given with it, except O(request_timeout).
    type: str
"""

    WAIT = r"""
options:
  timeout:
    description:
      - Duration that the wait may take. There is no limit by default.
      - The work on the cluster goes on when the wait ends.
    type: str
  stall_timeout:
    description: Duration for which nothing about the work may change. There is no limit by default.
    type: str
  outage_timeout:
    description: Duration for which the cluster may give no usable answer.
    type: str
    default: 5m
  hold:
    description: Duration for which a condition has to stay true.
    type: str
"""
