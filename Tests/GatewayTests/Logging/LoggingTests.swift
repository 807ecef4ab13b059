import FoundationEssentials
import Gateway
import Logging
import NIOCore
import Synchronization
import Testing

/// A wall clock that a test sets.
final class TestClock: Sendable {
    private let time: Mutex<WallTime>

    init(_ milliseconds: Int64) {
        time = Mutex(WallTime(unixMilliseconds: milliseconds))
    }

    var now: WallTime { time.withLock { $0 } }

    func advance(hours: Int64) {
        time.withLock { $0.unixMilliseconds += hours * 3_600_000 }
    }
}

@Suite struct LoggingTests {
    let folder: TemporaryFolder
    /// Noon of a day, so that no time zone turns an hour into another day.
    let clock = TestClock(1_795_262_400_000)

    init() throws {
        folder = try TemporaryFolder()
    }

    private func output(_ change: (inout LogSection) -> Void = { _ in }) -> LogOutput {
        var section = LogSection()
        section.filename = "\(folder.path)/logs/gbgate.log"
        section.isToStdout = false
        change(&section)
        return LogOutput(section: section, now: { [clock] in clock.now })
    }

    private func logged() throws -> String { try folder.read("logs/gbgate.log") }

    @Test func aRecordIsOneLine() throws {
        let output = output()
        output.logger(label: "sip").notice(
            "device online",
            metadata: [
                "device": "34020000001320000001", "agent": "IP Camera", "bad": "a\r\nFATAL forged=1", "none": "",
            ]
        )
        output.flush()
        #expect(
            try logged() == "\(clock.now.seconds).000 NOTICE device online agent=\"IP Camera\" "
                + "bad=\"a\\r\\nFATAL forged=1\" device=34020000001320000001 none=\"\"\n"
        )
    }

    @Test func jsonIsOneObjectALine() throws {
        let output = output { $0.isJson = true }
        output.logger(label: "sip").warning("slow \"disk\"", metadata: ["n": "1"])
        output.flush()
        #expect(
            try logged() == #"{"time":"\#(clock.now.seconds).000","level":"warning","label":"sip","#
                + #""message":"slow \"disk\"","n":"1"}"# + "\n"
        )
    }

    @Test func flagsTakePartsAway() throws {
        let output = output {
            $0.timestampFlag = false
            $0.levelFlag = false
            $0.shortFileFlag = true
        }
        output.logger(label: "x").info("plain")
        output.flush()
        #expect(try logged().hasPrefix("plain (LoggingTests.swift:"))
    }

    @Test(arguments: [
        (0, Logger.Level.trace), (1, .debug), (2, .info), (3, .warning), (4, .error), (5, .critical), (6, .critical),
    ])
    func levelsAreLals(_ level: Int, _ expected: Logger.Level) {
        #expect(output { $0.level = level }.logger(label: "x").logLevel == expected)
    }

    @Test func levelSevenIsOff() {
        let output = output { $0.level = 7 }
        output.logger(label: "x").critical("nothing")
        output.flush()
        #expect(folder.names.isEmpty)
    }

    @Test func theLevelChangesForLoggersThatAreThere() throws {
        let output = output { $0.level = 4 }
        let logger = output.logger(label: "x")
        var quiet = logger
        quiet.logLevel = .warning
        logger.info("before")
        output.level.set(.debug)
        #expect(logger.logLevel == .debug && quiet.logLevel == .warning)
        logger.debug("after")
        quiet.info("less is said of others")
        output.level.set(nil)
        logger.critical("off")
        output.level.set(.info)
        logger.debug("too little")
        output.flush()
        #expect(try logged().split(separator: "\n").map { $0.suffix(5) } == ["after"])
    }

    @Test(arguments: [(nil, "off"), (Logger.Level.trace, "trace"), (.notice, "notice"), (.critical, "critical")])
    func levelsHaveNames(_ level: Logger.Level?, _ name: String) {
        #expect(LogLevel(level).name == name)
        #expect(LogLevel(level).current == level)
    }

    @Test func aNewDayIsANewFile() throws {
        let output = output()
        let logger = output.logger(label: "x")
        let day = clock.now.seconds.prefix(10).replacing("-", with: "")
        logger.info("first")
        output.flush()
        clock.advance(hours: 24)
        logger.info("second")
        output.flush()
        #expect(try folder.read("logs/gbgate.log.\(day)").hasSuffix("first\n"))
        #expect(try logged().hasSuffix("second\n"))
        #expect(try !logged().contains("first"))
    }

    @Test func hourlyRotationNamesTheHour() throws {
        let output = output { $0.isRotateHourly = true }
        let logger = output.logger(label: "x")
        let hour = clock.now.seconds.prefix(13).filter(\.isNumber)
        logger.info("first")
        output.flush()
        clock.advance(hours: 1)
        logger.info("second")
        output.flush()
        #expect(try folder.read("logs/gbgate.log.\(hour)").hasSuffix("first\n"))
    }

    @Test func oldFilesAreDeletedAfterTheirDays() throws {
        try FileManager.default.createDirectory(atPath: "\(folder.path)/logs", withIntermediateDirectories: true)
        let kept = ["gbgate.log.20990101", "gbgate.log.notes", "other.log.20200101", "gbgate.log.2020010"]
        for name in kept + ["gbgate.log.20200101", "gbgate.log.2020010112"] {
            try folder.write("x", to: "logs/\(name)")
        }
        let output = output { $0.maxRotateDays = 3 }
        output.logger(label: "x").info("first")
        output.flush()
        clock.advance(hours: 24)
        output.logger(label: "x").info("second")
        output.flush()
        let names = try Set(FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/logs"))
        #expect(names.isSuperset(of: kept))
        #expect(!names.contains("gbgate.log.20200101"))
        #expect(!names.contains("gbgate.log.2020010112"))
    }

    @Test func anUnwritableFileStopsNothing() throws {
        try folder.write("", to: "logs")
        let output = output()
        output.logger(label: "x").info("lost")
        output.flush()
        try FileManager.default.removeItem(atPath: "\(folder.path)/logs")
        clock.advance(hours: 1)
        output.logger(label: "x").info("found")
        output.flush()
        #expect(try logged().hasSuffix("found\n"))
    }

    @Test func repeatedRecordsAreCountedNotWritten() {
        let limiter = LogRateLimiter(interval: .seconds(10))
        let start = NIODeadline.uptimeNanoseconds(0)
        #expect(limiter.admit("ssrc 7", now: start) == 0)
        for second in 1..<10 { #expect(limiter.admit("ssrc 7", now: start + .seconds(Int64(second))) == nil) }
        #expect(limiter.admit("ssrc 8", now: start + .seconds(9)) == 0)
        #expect(limiter.admit("ssrc 7", now: start + .seconds(10)) == 9)
        #expect(limiter.admit("ssrc 7", now: start + .seconds(11)) == nil)
        #expect(limiter.overdue(now: start + .seconds(19)).isEmpty)
        let overdue = limiter.overdue(now: start + .seconds(20))
        #expect(overdue.map(\.key) == ["ssrc 7"])
        #expect(overdue.map(\.suppressed) == [1])
    }

    @Test func theLimiterForgetsKindsRatherThanGrow() {
        let limiter = LogRateLimiter(interval: .seconds(10), maximumKinds: 2)
        let start = NIODeadline.uptimeNanoseconds(0)
        for kind in ["a", "b", "c", "c"] { #expect(limiter.admit(kind, now: start) == 0) }
        #expect(limiter.admit("a", now: start) == nil)
        #expect(limiter.admit("c", now: start + .seconds(10)) == 0)
        #expect(limiter.admit("c", now: start + .seconds(10)) == nil)
    }

    @Test func limitedRecordsSayHowManyAreMissing() throws {
        let output = output()
        let limiter = LogRateLimiter(interval: .seconds(10))
        let start = NIODeadline.uptimeNanoseconds(0)
        for second in [0, 1, 2, 10] as [Int64] {
            output.logger(label: "x").limited(limiter, key: "k", now: start + .seconds(second), "late")
        }
        output.flush()
        #expect(
            try logged().split(separator: "\n").map { $0.drop { $0 != "W" } } == [
                "WARN   late", "WARN   late suppressed=2",
            ]
        )
    }
}
