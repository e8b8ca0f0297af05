"""Which addresses a request may go to."""

from __future__ import annotations

from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

_Network: TypeAlias = IPv4Network | IPv6Network

# The IANA registries of special addresses. They stand here, for `ipaddress.is_global` has meant
# something else in almost every version of Python, and knows nothing of metadata services.
_PRIVATE: Final = (
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "::1/128",
    "fc00::/7",
)
# Not even where private addresses are allowed.
_NEVER: Final = (
    "0.0.0.0/8",
    "169.254.0.0/16",  # link-local: the metadata service of most clouds
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",  # multicast, reserved, broadcast
    "100.100.100.200/32",  # metadata: Alibaba Cloud
    "168.63.129.16/32",  # metadata: Azure
    "fd00:ec2::254/128",  # metadata: AWS
    "fd20:ce::254/128",  # metadata: Google Cloud
    "2001::/23",  # protocol assignments, among them Teredo, which carries IPv4 addresses
    "2001:db8::/32",
    "2002::/16",  # 6to4, which carries IPv4 addresses
    "3fff::/20",
)
# Beyond it are also the IPv4 addresses in disguise: mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96).
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")


def is_allowed(text: str, *, allow_private: bool) -> bool:
    """Whether a numeric address is global unicast, or private where that is allowed."""
    if "%" in text:
        # An address with a zone means something on this machine only.
        return False
    address = ip_address(text)
    if _is_in(address, _NEVER):
        return False
    if _is_in(address, _PRIVATE):
        return allow_private
    return isinstance(address, IPv4Address) or address in _GLOBAL_UNICAST


def _is_in(address: IPv4Address | IPv6Address, networks: tuple[str, ...]) -> bool:
    return any(address in network for network in _parsed(networks))


@cache
def _parsed(networks: tuple[str, ...]) -> tuple[_Network, ...]:
    return tuple(ip_network(network) for network in networks)
