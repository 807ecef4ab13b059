import Foundation
import Media
import NIOCore
import Synchronization

/// A WebSocket viewer that goes on watching in the background, and minds that times never go back.
final class Watcher: Sendable {
    struct Seen: Sendable {
        var pictures = 0
        var sounds = 0
        var videoHeaders = 0
        /// Of the last message of each kind, milliseconds.
        var times: [FLVMessage.Kind: UInt32] = [:]
        /// What a player would have minded.
        var faults: [String] = []
        var isOver = false
    }

    private let state = Mutex(Seen())
    private let task = Mutex<Task<Void, Never>?>(nil)

    var seen: Seen { state.withLock { $0 } }

    init(_ stream: String, port: Int, secure: Bool = false) {
        let watching = Task { [self] in
            do {
                try await watch(stream, port: port, secure: secure)
            } catch {
                state.withLock { $0.faults.append("\(error)") }
            }
            state.withLock { $0.isOver = true }
        }
        task.withLock { $0 = watching }
    }

    /// Leaves.
    func leave() {
        task.withLock { $0?.cancel() }
    }

    /// Waits for so many more pictures.
    func pictures(_ count: Int, limit: Duration = .seconds(30)) async throws {
        let before = seen.pictures
        do {
            try await wait(for: "\(count) pictures", limit: limit) { seen.pictures >= before + count }
        } catch {
            throw NeverHappened(what: "\(count) pictures; seen: \(seen)")
        }
    }

    private func watch(_ stream: String, port: Int, secure: Bool) async throws {
        var socket = try await WebSocketStream.get("/live/\(stream).flv", port: port, secure: secure)
        let connection = socket.stream.connection
        try await withTaskCancellationHandler {
            guard socket.isAccepted else { throw NeverHappened(what: "101 for \(stream): \(socket.stream.head)") }
            var bytes = ByteBuffer()
            var reader = FLVTagReader()
            while var frame = try await socket.next() {
                bytes.writeBuffer(&frame)
                while let message = try reader.next(from: &bytes) { take(message) }
            }
        } onCancel: {
            Task { await connection.close() }
        }
    }

    private func take(_ message: FLVMessage) {
        state.withLock { seen in
            switch message.kind {
            case .script: return
            case .video where message.isSequenceHeader:
                seen.videoHeaders += 1
                return
            case .audio where message.isSequenceHeader: return
            case .video: seen.pictures += 1
            case .audio: seen.sounds += 1
            }
            if let last = seen.times[message.kind], message.timestamp <= last {
                seen.faults.append("\(message.kind): \(message.timestamp) after \(last)")
            }
            seen.times[message.kind] = message.timestamp
        }
    }
}
