import Foundation
import Programs
import Testing

/// The starter of other people's programs: what it hands over, and what it says of their end.
@Suite(.timeLimit(.minutes(1)))
struct ProgramTests {
    @Test func inheritsNoSocket() async throws {
        // As NIO opens its own: inherited on exec.
        let open = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(open) }
        try #require(open > 3)
        let program = try Program("/bin/ls", ["/proc/self/fd"])
        #expect(try await program.exit(limit: .seconds(10)) == 0)
        // The last is the folder that it reads.
        #expect(program.output == "0\n1\n2\n3\n")
    }

    @Test func tellsItsStatusOrItsSignal() async throws {
        let failing = try Program(
            "/bin/sh",
            ["-c", "echo $WORD; pwd; echo no >&2; exit 7"],
            environment: ["WORD": "a b"],
            folder: "/usr"
        )
        #expect(try await failing.exit(limit: .seconds(10)) == 7)
        #expect(failing.output == "a b\n/usr\n")
        #expect(failing.errors == "no\n")
        for signal in [SIGTERM, SIGINT, SIGKILL] {
            let waiting = try Program("/bin/sleep", ["60"])
            #expect(waiting.isRunning)
            waiting.kill(signal)
            #expect(try await waiting.exit(limit: .seconds(10)) == signal)
            #expect(!waiting.isRunning)
        }
        let late = try Program("/bin/sleep", ["60"])
        #expect(try await late.exit(limit: .milliseconds(50)) == SIGKILL)
    }

    @Test func namesAProgramThatIsNotThere() {
        let error = #expect(throws: SpawnError.self) { try Program("/nowhere/at all", []) }
        #expect(error?.description == "start of /nowhere/at all: No such file or directory")
    }

    @Test func whatItLeavesBehindEndsWithIt() async throws {
        let program = try Program("/bin/sh", ["-c", "sleep 63 & echo $!"])
        #expect(try await program.exit(limit: .seconds(10)) == 0)
        let child = try #require(Int32(program.output.trimmingCharacters(in: .newlines)))
        try await wait(for: "its end") {
            let state = (try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8)) ?? ""
            return state.isEmpty || state.contains(") Z ")
        }
    }

    @Test func killingItEndsWhatItHasStarted() async throws {
        let group = try ProcessGroup(["/bin/sh", "-c", "sleep 61 & sleep 62"], output: "/dev/null")
        try await wait(for: "three processes") { group.members.count == 3 }
        group.kill()
        #expect(group.reap() == SIGKILL)
        try await wait(for: "their end") { group.members.isEmpty }
    }
}
