"""The one action of the hello-world atlas."""


def say(name: str) -> str:
    return f"Hello, {name}!"
