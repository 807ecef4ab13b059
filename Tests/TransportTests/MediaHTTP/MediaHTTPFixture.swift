import Hub
import Media
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Transport

/// A Hub with the media HTTP port on a free port of loopback.
struct MediaHTTPFixture {
    let group: MultiThreadedEventLoopGroup
    let hub: Hub
    let server: MediaHTTPServer

    static func with(
        loops: Int = 2,
        hub hubConfiguration: HubConfiguration = HubConfiguration(),
        http httpConfiguration: MediaHTTPConfiguration = MediaHTTPConfiguration(),
        tls: TLSCertificate? = nil,
        listener: ListenerOptions = ListenerOptions(),
        _ body: (MediaHTTPFixture) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let hub = Hub(group: group, configuration: hubConfiguration)
        let server = try await MediaHTTPServer.start(
            hub: hub,
            group: group,
            host: "127.0.0.1",
            port: 0,
            configuration: httpConfiguration,
            tls: tls,
            listener: listener
        )
        do {
            try await body(MediaHTTPFixture(group: group, hub: hub, server: server))
        } catch {
            try? await server.close()
            try? await group.shutdownGracefully()
            throw error
        }
        try await server.close()
        try await group.shutdownGracefully()
    }

    func client(receiveBuffer: CInt = 0) throws -> RawClient {
        try #require(RawClient(port: server.port, receiveBuffer: receiveBuffer))
    }

    func publish(_ stream: String) async throws -> TestPublisher {
        try await TestPublisher.make(stream, hub: hub, loop: group.next())
    }

    /// Asks the Hub until it says what the test waits for.
    func wait(line: Int = #line, until condition: (Hub) async -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(20)
        while await !condition(hub) {
            try #require(ContinuousClock.now < end, "what line \(line) waits for did not come")
            await Task.yield()
        }
    }
}

/// A publisher that can be fed from a test.
struct TestPublisher: Sendable {
    private let loop: any EventLoop
    private let publisher: NIOLoopBound<StreamPublisher>

    static func make(_ stream: String, hub: Hub, loop: any EventLoop) async throws -> TestPublisher {
        let publisher = try await loop.submit {
            let session = hub.makeSession(.ps, .publisher)
            let publisher = try hub.publish(stream, app: "live", session: session, on: loop, onKick: { _ in })
            return NIOLoopBound(publisher, eventLoop: loop)
        }.get()
        return TestPublisher(loop: loop, publisher: publisher)
    }

    func receive(_ events: [MediaEvent]) async throws {
        try await loop.submit { publisher.value.receive(events) }.get()
    }

    func finish() async throws {
        try await loop.submit { publisher.value.finish() }.get()
    }
}

enum TestPictures {
    static let parameters: [MediaEvent] = [
        .video(VideoParameters(codec: .h264, sps: [[0x67, 66, 0, 30, 1]], pps: [[0x68, 1]], width: 640, height: 360)),
        .audio(AudioParameters(codec: .g711a, sampleRate: 8000, channels: 1)),
    ]

    /// Pictures that say their number, with a key frame every `group`.
    static func pictures(_ numbers: Range<Int>, group: Int = 10, key: Int = 6000, other: Int = 1000) -> [MediaEvent] {
        numbers.map { number in
            let isKey = number % group == 0
            var payload = ByteBuffer()
            payload.writeInteger(UInt32((isKey ? key : other) - 4))
            payload.writeInteger(UInt32(number))
            payload.writeRepeatingByte(UInt8(truncatingIfNeeded: number), count: (isKey ? key : other) - 8)
            let time = Int64(number) * 3600
            return .frame(Frame(track: .video, dts: time, pts: time, isKey: isKey, payload: payload))
        }
    }
}

/// Reads FLV tags from bytes as they come.
struct PictureReader {
    private var reader = FLVTagReader()
    private var bytes = ByteBuffer()
    private(set) var numbers: [Int] = []

    mutating func receive(_ input: [UInt8]) throws {
        bytes.writeBytes(input)
        while let message = try reader.next(from: &bytes) {
            guard message.kind == .video, !message.isSequenceHeader else { continue }
            let payload = message.payload
            let number = payload.getInteger(at: payload.readerIndex + 4, as: UInt32.self).map(Int.init) ?? -1
            // The whole picture is the one that its number says.
            let view = payload.readableBytesView.dropFirst(8)
            let expected = UInt8(truncatingIfNeeded: number)
            let isIntact = stride(from: view.startIndex, to: view.endIndex, by: 997).allSatisfy { view[$0] == expected }
            #expect(isIntact && view.last == expected)
            numbers.append(number)
        }
        bytes.discardReadBytes()
    }
}
