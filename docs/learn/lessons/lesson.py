"""What the experiments of all steps share: they build and start programs, talk to them, and say what was seen.

Each text is given in English and in Chinese. Every program that a lesson starts ends with it.
"""

import os
import shlex
import shutil
import subprocess
import sys

from program import Program


class Lesson:
    """One run of a step's experiment."""

    def __init__(self, number, language, title):
        self.number, self.language = number, language
        self.programs, self.built, self.faults = [], set(), []
        self.say("== Step %d: %s" % (number, title[0]), "== 第 %d 步：%s" % (number, title[1]))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for program in reversed(self.programs):
            program.kill()

    # What is said.

    def say(self, english, chinese):
        """Prints a text."""
        print(chinese if self.language == "zh" else english, flush=True)

    def figure(self, english, chinese, value):
        """Prints a figure of this machine."""
        self.say("Figure: %s: %s" % (english, value), "数字：%s：%s" % (chinese, value))

    def fault(self, name, english, chinese):
        """Prints a fault that was seen, with the reason. `name` is that of the page, in both languages."""
        self.faults.append(name)
        self.say("Fault `%s`: %s" % (name, english), "故障 `%s`：%s" % (name, chinese))

    def end(self, expected):
        """Prints the faults. Returns the exit code: 0 if they are those that the step is about."""
        self.say("Faults seen: " + ", ".join(self.faults), "看到的故障：" + "、".join(self.faults))
        missing, other = sorted(set(expected) - set(self.faults)), sorted(set(self.faults) - set(expected))
        if missing:
            self.say("Expected, and not seen: " + ", ".join(missing), "预期而未看到：" + "、".join(missing))
        if other:
            self.say("Seen, and not expected: " + ", ".join(other), "看到而未预期：" + "、".join(other))
        return 1 if missing or other else 0

    def skip(self, english, chinese):
        """Ends the lesson since this machine can't show it, for a reason that is printed. The exit code is 77."""
        self.say("This step can't be shown here: " + english, "这一步无法在这里演示：" + chinese)
        sys.exit(77)

    # What is run.

    def binary(self, package, name):
        """The path of a program of the workspace, which is built if need be. In the folder LESSON_BIN are those of
        examples/learn; `learn` has the commands of all others."""
        folder = os.environ.get("LESSON_BIN")
        if folder:
            return os.path.join(folder, name if package == "anyloop-example-learn" else "learn")
        if not shutil.which("cargo"):
            sys.exit("lesson.sh: cargo is missing; install Rust 1.95 or later, as https://rustup.rs says")
        if name not in self.built:
            command = ["cargo", "build", "--release", "--locked", "--package", package, "--bin", name]
            print("$ " + shlex.join(command), flush=True)
            if subprocess.run(command).returncode != 0:
                sys.exit("lesson.sh: the build failed; the message above says why")
            self.built.add(name)
        return os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release", name)

    def anyloop(self):
        """The path of the command `anyloop`."""
        return self.binary("anyloop-cli", "anyloop")

    def learn(self):
        """The path of the command `anyloop` with the backends and handlers of examples/learn."""
        return self.binary("anyloop-example-learn", "learn")

    def kit(self, package, english, chinese):
        """Runs the conformance kit of a package, and requires that it passes. Tests of the pages run it by themselves."""
        command = ["cargo", "test", "--locked", "--package", package, "--test", "conformance", "--", "--quiet"]
        print("$ " + shlex.join(command), flush=True)
        if os.environ.get("LESSON_BIN"):
            return
        if subprocess.run(command).returncode != 0:
            sys.exit("lesson.sh: the kit failed; the message above says why")
        self.say(english + " The ignored tests are its cases over Unix sockets and through a transform.",
                 chinese + "被忽略（ignored）的测试是同样的用例在 Unix 套接字上、经过变换的变体。")

    def start(self, *command, **options):
        """Starts a program, and shows its command line."""
        name = "python3" if command[0] == sys.executable else os.path.relpath(command[0])
        print("$ " + shlex.join([name if os.sep in command[0] else command[0], *command[1:]]), flush=True)
        program = Program(command, **options)
        self.programs.append(program)
        return program

    def serve(self, *flags, program=None):
        """Starts `anyloop serve`, or that of another program, on a free port."""
        return self.start(program or self.anyloop(), "serve", "--listen", "127.0.0.1:0", *flags)

    def output(self, *command, **options):
        """Runs a program to its end. Returns what it printed on both outputs, and its exit code."""
        program = self.start(*command, **options)
        code = program.wait()
        return "\n".join(program.lines + program.errors), code
