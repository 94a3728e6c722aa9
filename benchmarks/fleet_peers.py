"""What the fleet is measured beside: Locust's own users, in a process that has imported nothing before Locust.

python -m benchmarks.fleet_peers http|ws PORT
"""

from locust import FastHttpUser, User, task  # isort: skip  # it patches the process, so it comes first
import json
import sys
import time

import gevent
from locust.env import Environment
from websocket import WebSocket, create_connection

AT_ONCE, WARM_UP_S, MEASURED_S = 50, 1.0, 3.0  # as fleet_side has them
PATH = "/webhooks/telegram/tg"
HEADERS = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": "hook"}
BODY = (
    '{"update_id":100000001,"message":{"message_id":49800001,"date":1795000000,'
    '"text":"[be0c4:c1:17] подскажите ответ по моему вопросу спасибо вчера списали дважды",'
    '"from":{"id":5000000001,"first_name":"Анна","username":"u5000000001","is_bot":false,"language_code":"ru"},'
    '"chat":{"id":5000000001,"first_name":"Анна","username":"u5000000001","type":"private"}}}'
).encode()
FRAME = '{"op":"send","cid":"[be0c4:c1:%d]","text":"[be0c4:c1:%d] баланс подскажите ответ по моему вопросу спасибо"}'


class Poster(FastHttpUser):
    """Posts one Update after the other."""

    @task
    def step(self) -> None:
        """One request."""
        self.client.post(PATH, data=BODY, headers=HEADERS)  # type: ignore[arg-type]  # its stub forgets bytes


class Talker(User):
    """Sends one frame after the other, and takes the two that come back."""

    socket: WebSocket
    counter = 0

    def on_start(self) -> None:
        """Connect and be welcomed."""
        self.socket = create_connection(f"ws{self.environment.host.removeprefix('http')}/v1/chat")
        self.socket.send('{"op":"hello"}')
        self.socket.recv()

    @task
    def step(self) -> None:
        """One frame, and its two answers."""
        self.counter += 1
        started_s = time.perf_counter()
        self.socket.send(FRAME % (self.counter, self.counter))
        acknowledgement = self.socket.recv()
        elapsed_ms = (time.perf_counter() - started_s) * 1e3
        self.socket.recv()
        self.environment.events.request.fire(
            request_type="WS", name="step", response_time=elapsed_ms, response_length=len(acknowledgement),
            exception=None, context={},
        )  # fmt: skip


def main(kind: str, port: int) -> None:
    """Print the rate of fifty users as JSON."""
    users: dict[str, type[User]] = {"http": Poster, "ws": Talker}
    environment = Environment(user_classes=[users[kind]], host=f"http://127.0.0.1:{port}")
    runner = environment.create_local_runner()
    runner.start(AT_ONCE, spawn_rate=AT_ONCE)
    gevent.sleep(WARM_UP_S)
    before, wall_s, cpu_s = environment.stats.total.num_requests, time.perf_counter(), time.process_time()
    gevent.sleep(MEASURED_S)
    steps = environment.stats.total.num_requests - before
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    if environment.stats.total.num_failures or runner.exceptions:
        raise SystemExit(f"Locust's side failed: {[*environment.stats.errors.values(), *runner.exceptions.values()]}")
    print(json.dumps({"per_s": steps / wall_s, "cpu_us": cpu_s / max(1, steps) * 1e6}))
    runner.quit()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
