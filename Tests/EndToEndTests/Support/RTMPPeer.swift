import Media
import NIOCore
import NIOPosix

@testable import Streaming

/// An RTMP client over a real socket, for the tests: says what it is told, reads messages.
///
/// Unchecked: a test uses it from one task at a time.
final class RTMPPeer: @unchecked Sendable {
    typealias Inbound = NIOAsyncChannelInboundStream<ByteBuffer>

    private nonisolated(unsafe) var bytes: Inbound.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var reader = RTMPChunkReader()
    private var chunkSize = 128
    private var rest = ByteBuffer()

    private init(_ inbound: Inbound, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>) {
        bytes = inbound.makeAsyncIterator()
        self.outbound = outbound
        reader.limits = .publisher
    }

    /// Connects, shakes hands, sends `connect` and `createStream`, and waits for their answers.
    /// - Parameter opens: false: only the handshake; the rest is the test's.
    static func with<Result: Sendable>(
        port: Int,
        opens: Bool = true,
        enhanced: Bool = false,
        _ body: @Sendable (RTMPPeer) async throws -> Result
    ) async throws -> Result {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            let peer = RTMPPeer(inbound, outbound)
            try await peer.shakeHands()
            if opens { try await peer.open(enhanced: enhanced) }
            return try await body(peer)
        }
    }

    private func shakeHands() async throws {
        var hello = ByteBuffer(bytes: [3])
        hello.writeRepeatingByte(0, count: 2 * 1536)
        try await outbound.write(hello)
        while rest.readableBytes < 1 + 2 * 1536 {
            guard var part = try await bytes.next() else { return }
            rest.writeBuffer(&part)
        }
        rest.moveReaderIndex(forwardBy: 1 + 2 * 1536)
    }

    private func open(enhanced: Bool) async throws {
        var properties = [
            AMF0Property("app", .string("live")), AMF0Property("tcUrl", .string("rtmp://localhost/live")),
        ]
        if enhanced { properties.append(AMF0Property("fourCcList", .strictArray([.string("hvc1")]))) }
        try await command("connect", .object(properties))
        try await command("createStream", .null)
        while let command = try await nextCommand(), command.transaction != 2 {}
    }

    /// Says Set Chunk Size and keeps to it.
    func setChunkSize(_ size: Int) async throws {
        try await send(.setChunkSize, ByteBuffer(integer: UInt32(size)))
        chunkSize = size
    }

    /// A command with a transaction of the test's; waits for its answer when there is to be one.
    func call(_ name: String, _ transaction: Double, answered: Bool, _ arguments: AMF0Value...) async throws {
        var command = RTMPCommand(name, transaction: transaction)
        command.arguments = arguments
        try await send(.commandAMF0, command.encoded)
        guard answered else { return }
        while let answer = try await nextCommand() {
            if answer.name == "_result", answer.transaction == transaction { return }
        }
        throw NeverHappened(what: "the answer to \(name)")
    }

    /// The code of the next status but NetStream.Play.Reset, which comes before a start.
    func status() async throws -> String? {
        while let command = try await nextCommand() {
            guard command.name == "onStatus" else { continue }
            let code = command.argument(1)?["code"]?.string
            if code != "NetStream.Play.Reset" { return code }
        }
        return nil
    }

    func command(_ name: String, _ arguments: AMF0Value...) async throws {
        var command = RTMPCommand(name, transaction: name == "createStream" ? 2 : 1)
        command.arguments = arguments
        try await send(.commandAMF0, command.encoded)
    }

    /// Publishes or plays; returns the code of the last status.
    func ask(_ name: String, _ stream: String, until wanted: String) async throws -> String? {
        try await command(name, .null, .string(stream))
        var code: String?
        while let status = try await nextCommand() {
            code = status.argument(1)?["code"]?.string
            if code == wanted || status.argument(1)?["level"] == .string("error") { break }
        }
        return code
    }

    func send(_ message: FLVMessage) async throws {
        let type = RTMPMessageType(rawValue: message.kind.rawValue) ?? .video
        try await send(type, message.body, timestamp: message.timestamp)
    }

    /// Sends messages when their time has come, as an encoder does: a viewer of a burst is moved to its newest key frame.
    func stream(_ messages: [FLVMessage]) async throws {
        let begin = ContinuousClock.now
        for message in messages {
            try await Task.sleep(until: begin + .milliseconds(Int(message.timestamp)))
            try await send(message)
        }
    }

    func send(_ type: RTMPMessageType, _ body: ByteBuffer, timestamp: UInt32 = 0) async throws {
        var bytes = ByteBuffer()
        RTMPChunkWriter.write(
            type: type,
            chunkStream: 3,
            streamID: 1,
            timestamp: timestamp,
            body: body,
            chunkSize: chunkSize,
            into: &bytes
        )
        try await outbound.write(bytes)
    }

    /// The next message, nil at the end of the connection.
    func next() async throws -> RTMPMessage? {
        while true {
            if let message = try reader.next(from: &rest) { return message }
            do {
                guard let part = try await bytes.next() else { return nil }
                rest = part
            } catch is IOError {
                return nil
            }
        }
    }

    func nextCommand() async throws -> RTMPCommand? {
        while let message = try await next() {
            if let command = message.type == 20 ? RTMPCommand(message) : nil { return command }
        }
        return nil
    }

    /// The next so many audio and video messages.
    func media(_ count: Int) async throws -> [FLVMessage] {
        var messages: [FLVMessage] = []
        while messages.count < count, let message = try await next() {
            guard let kind = FLVMessage.Kind(rawValue: message.type), kind != .script else { continue }
            messages.append(FLVMessage(kind: kind, timestamp: message.timestamp, body: message.body))
        }
        return messages
    }
}
