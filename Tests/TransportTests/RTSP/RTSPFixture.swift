import Hub
import Media
import NIOCore
import NIOPosix
import Streaming
import Synchronization
import Testing

@testable import Transport

/// One after the other, on one thread.
@Suite("RTSP through its ports", .serialized) enum RTSPPortTests {}

/// A Hub with an RTSP port on a free port of loopback.
struct RTSPFixture: Sendable {
    let group: MultiThreadedEventLoopGroup
    let hub: Hub
    let server: RTSPServer
    let options: RTSPServerOptions
    let ends: Ends

    /// What the server told of sessions and connections that are over.
    final class Ends: Sendable {
        private let state = Mutex<(reports: [RTSPSessionReport], faults: [RTSPFault])>(([], []))

        var reports: [RTSPSessionReport] { state.withLock { $0.reports } }
        var faults: [RTSPFault] { state.withLock { $0.faults } }

        func add(_ report: RTSPSessionReport) { state.withLock { $0.reports.append(report) } }
        func add(_ fault: RTSPFault) { state.withLock { $0.faults.append(fault) } }
    }

    /// The clients of these tests block: on a thread of their own, for those of tasks are few.
    private static let thread = BlockingThread()

    private final class BlockingThread: TaskExecutor {
        private let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
    }

    var port: Int { server.port }

    static func with<Result>(
        loops: Int = 2,
        hub configuration: HubConfiguration = HubConfiguration(),
        tls: TLSCertificate? = nil,
        _ change: (inout RTSPServerOptions) -> Void = { _ in },
        _ body: (RTSPFixture) async throws -> Result
    ) async throws -> Result {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let hub = Hub(group: group, configuration: configuration)
        let ends = Ends()
        var options = RTSPServerOptions()
        options.describeTimeout = .milliseconds(200)
        options.portHost = "127.0.0.1"
        options.onEnd = { ends.add($0) }
        options.onFault = { ends.add($1) }
        change(&options)
        let server = try await RTSPServer.start(
            hub: hub,
            group: group,
            host: "127.0.0.1",
            port: 0,
            options: options,
            tls: tls
        )
        let fixture = RTSPFixture(group: group, hub: hub, server: server, options: options, ends: ends)
        let result: Result
        do {
            result = try await withTaskExecutorPreference(thread) { try await body(fixture) }
        } catch {
            try? await server.close()
            await hub.shutdown(within: .milliseconds(100))
            try? await group.shutdownGracefully()
            throw error
        }
        try await server.close()
        await hub.shutdown(within: .milliseconds(100))
        try await group.shutdownGracefully()
        return result
    }

    func client() throws -> RTSPTestClient {
        try RTSPTestClient(port: port)
    }

    /// A publisher of frames, as RTMP's are, with both tracks known.
    func publish(_ stream: String = "x", _ events: [MediaEvent] = RTSPPictures.start) async throws -> TestPublisher {
        let publisher = try await TestPublisher.make(stream, hub: hub, loop: group.next())
        try await publisher.receive(events)
        return publisher
    }

    /// Asks until it is so.
    func wait(line: Int = #line, until condition: () async -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(20)
        while await !condition() {
            try #require(ContinuousClock.now < end, "what line \(line) waits for did not come")
            try await Task.sleep(for: .milliseconds(2))
        }
    }
}

/// Pictures that say their number, in one NAL unit each, with a key frame every `group`.
enum RTSPPictures {
    /// x264's, baseline, 320x240.
    static let sps: [UInt8] = [
        0x67, 0x42, 0xC0, 0x0D, 0xD9, 0x01, 0x41, 0xFB, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03,
        0x03,
        0x20, 0xF1, 0x42, 0xA4, 0x80,
    ]
    static let pps: [UInt8] = [0x68, 0xCB, 0x83, 0xCB, 0x20]
    static let video = MediaEvent.video(
        VideoParameters(codec: .h264, sps: [sps], pps: [pps], width: 320, height: 240)
    )
    static let audio = MediaEvent.audio(AudioParameters(codec: .g711a, sampleRate: 8000, channels: 1))
    static let start = [video, audio]

    static func unit(_ number: Int, isKey: Bool, _ count: Int) -> [UInt8] {
        let head: [UInt8] = [isKey ? 0x65 : 0x41, 0x88, UInt8(number >> 7) | 0x80, UInt8(number & 0x7F) | 0x80]
        return head + [UInt8](repeating: UInt8(truncatingIfNeeded: number) | 1, count: max(count - 4, 0))
    }

    /// The number of a unit; nil when its bytes are not those that belong to it.
    static func number(of unit: [UInt8]) -> Int? {
        guard unit.count >= 4 else { return nil }
        let number = Int(unit[2] & 0x7F) << 7 | Int(unit[3] & 0x7F)
        return unit.dropFirst(4).allSatisfy { $0 == UInt8(truncatingIfNeeded: number) | 1 } ? number : nil
    }

    static func pictures(_ numbers: Range<Int>, group: Int = 10, key: Int = 6000, other: Int = 1000) -> [MediaEvent] {
        numbers.map { number in
            let isKey = number % group == 0
            let unit = unit(number, isKey: isKey, isKey ? key : other)
            var payload = ByteBuffer()
            payload.writeInteger(UInt32(unit.count))
            payload.writeBytes(unit)
            let time = Int64(number) * 3600
            return .frame(Frame(track: .video, dts: time, pts: time, isKey: isKey, payload: payload))
        }
    }

    /// Sound of the time of a picture.
    static func sound(_ number: Int) -> MediaEvent {
        let time = Int64(number) * 3600
        let payload = ByteBuffer(repeating: 0xD5, count: 320)
        return .frame(Frame(track: .audio, dts: time, pts: time, isKey: true, payload: payload))
    }
}

/// The other side's packets, made into pictures again.
struct RTSPPictureReader {
    private var ingest: RTSPIngest
    private(set) var numbers: [Int] = []
    private(set) var sounds = 0
    private(set) var sources: [Int: Set<UInt32>] = [:]
    /// The first sequence number and timestamp of each media.
    private(set) var first: [Int: RTPStart] = [:]
    /// Sequence numbers that did not follow the one before.
    private(set) var gaps = 0
    private var last: [Int: UInt16] = [:]
    private(set) var senderReports: [Int: Int] = [:]
    private(set) var largest = 0

    /// What the SDP says of parameter sets is left aside: they are in-band.
    init(_ sdp: ByteBuffer) throws {
        let description = try DescribedStream(sdp: Array(sdp.readableBytesView)).description
        ingest = RTSPIngest(description, configuration: RTSPIngestConfiguration(transport: .tcp))
    }

    mutating func receive(_ packet: ByteBuffer, media: Int, isRTCP: Bool) {
        largest = max(largest, packet.readableBytes)
        if isRTCP {
            if packet.readableBytesView.dropFirst().first == 200 { senderReports[media, default: 0] += 1 }
            return
        }
        guard let header = RTPPacket(packet.readableBytesSpan) else {
            Issue.record("a packet that is none")
            return
        }
        sources[media, default: []].insert(header.ssrc)
        if first[media] == nil {
            first[media] = RTPStart(sequenceNumber: header.sequenceNumber, timestamp: header.timestamp)
        }
        if let last = last[media], header.sequenceNumber != last &+ 1 { gaps += 1 }
        last[media] = header.sequenceNumber
        var events: [MediaEvent] = []
        ingest.receive(packet.readableBytesSpan, media: media, isRTCP: false, now: .now(), into: &events)
        for case .frame(let frame) in events {
            guard frame.track == .video else {
                sounds += 1
                continue
            }
            // Parameter sets stand before the picture in a key frame.
            var payload = frame.payload
            while let length = payload.readInteger(as: UInt32.self), let unit = payload.readBytes(length: Int(length)) {
                guard [1, 5].contains(unit[0] & 0x1F) else { continue }
                let number = RTSPPictures.number(of: unit)
                #expect(number != nil, "a picture is damaged")
                numbers.append(number ?? -1)
            }
        }
    }
}
