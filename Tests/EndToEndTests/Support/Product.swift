import Foundation
import Programs

/// The binary that users run, with a configuration of its own in a folder of its own.
final class Product: Sendable {
    /// Beside the test bundle.
    static let path: String? = {
        let bundle = URL(filePath: CommandLine.arguments.first ?? "").deletingLastPathComponent()
        let candidates = [
            bundle.appending(path: "gbgate").path,
            Bundle.main.executableURL?.deletingLastPathComponent().appending(path: "gbgate").path ?? "",
            "\(Project.root)/.build/debug/gbgate",
        ]
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    /// The one of `make build`, for what a debug build says little about; nil when it is older than that.
    static let release: String? = {
        func date(_ path: String) -> Date? {
            (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
        }
        let release = "\(Project.root)/.build/release/gbgate"
        guard let path, let made = date(path), let optimised = date(release), optimised >= made else { return nil }
        return release
    }()

    let program: Program
    let api: API
    let sip: Int
    let http: Int
    let rtmp: Int
    let rtsp: Int

    /// Runs `gbgate serve` and waits for its ports.
    static func serve(
        folder: String,
        sip: Int = 0,
        password: String = "",
        ports: ClosedRange<Int> = 16_000...17_999,
        binary: String? = nil,
        arguments: [String] = [],
        _ environment: [String: String] = [:]
    ) async throws -> Product {
        var all = [
            "GBGATE_RTMP_ADDR": "127.0.0.1:0", "GBGATE_RTSP_ADDR": "127.0.0.1:0",
            "GBGATE_DEFAULT_HTTP_HTTP_LISTEN_ADDR": "127.0.0.1:0",
            "GBGATE_HTTP_API_ADDR": "127.0.0.1:0", "GBGATE_GB28181_LOCAL_SIP_IP": "127.0.0.1",
            "GBGATE_GB28181_LOCAL_SIP_PORT": "\(sip)", "GBGATE_GB28181_PASSWORD": password,
            "GBGATE_GB28181_SIP_RTP_PORT_MIN": "\(ports.lowerBound)",
            "GBGATE_GB28181_SIP_RTP_PORT_MAX": "\(ports.upperBound)", "GBGATE_LOG_FILENAME": "",
            "GBGATE_STORE_PATH": "\(folder)/gbgate.sqlite", "GBGATE_DUMP_OUT_PATH": "\(folder)/dump/",
            "GBGATE_RECORD_INDEX_PATH": "\(folder)/recordings.sqlite",
            "GBGATE_LOG_IS_JSON": "false",
        ]
        all.merge(environment) { _, new in new }
        let program = try Program(binary ?? path ?? "gbgate", ["serve"] + arguments, environment: all, folder: folder)
        var found: [String: Int] = [:]
        try await wait(for: "the ports of gbgate serve") {
            found = numbers(in: program.output + program.errors)
            guard program.isRunning else {
                throw NeverHappened(what: "gbgate serve: \(program.output)\(program.errors)")
            }
            return found.count == 5
        }
        return Product(
            program: program,
            api: API(port: found["addr"] ?? 0),
            sip: found["sip"] ?? 0,
            http: found["http"] ?? 0,
            rtmp: found["rtmp"] ?? 0,
            rtsp: found["rtsp"] ?? 0
        )
    }

    private init(program: Program, api: API, sip: Int, http: Int, rtmp: Int, rtsp: Int) {
        self.program = program
        self.api = api
        self.sip = sip
        self.http = http
        self.rtmp = rtmp
        self.rtsp = rtsp
    }

    /// `http=8080 sip=5060` and `addr=127.0.0.1:8083` in the first lines of the log.
    private static func numbers(in log: String) -> [String: Int] {
        var found: [String: Int] = [:]
        for line in log.split(separator: "\n") where line.contains("serves") || line.contains("api listens") {
            for word in line.split(separator: " ") {
                let parts = word.split(separator: "=", maxSplits: 1)
                guard parts.count == 2, ["http", "rtmp", "rtsp", "sip", "addr"].contains(parts[0]) else { continue }
                let number = parts[1].split(separator: ":").last?.filter(\.isNumber) ?? ""
                if let port = Int(number) { found[String(parts[0])] = port }
            }
        }
        return found
    }

    /// How many descriptors it holds.
    var descriptors: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(program.id)/fd").count) ?? -1
    }

    /// Memory of its process.
    var residentKilobytes: Int {
        let status = (try? String(contentsOfFile: "/proc/\(program.id)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return Int(line.filter(\.isNumber)) ?? 0
    }

    var log: String { program.output + program.errors }
}

/// A folder for one test, deleted with its last use.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "gbgate-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
