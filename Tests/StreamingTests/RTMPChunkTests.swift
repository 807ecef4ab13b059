import Media
import NIOCore
import Testing

@testable import Streaming

@Suite("RTMP chunks")
struct RTMPChunkTests {
    private static func bytes(_ parts: [UInt8]...) -> ByteBuffer { ByteBuffer(bytes: parts.flatMap(\.self)) }

    private static func payload(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) } }

    /// Reads whole, byte by byte and at every split; all must give the same.
    private func read(_ bytes: ByteBuffer) throws -> [RTMPMessage] {
        var reader = RTMPChunkReader()
        let whole = try reader.all(in: bytes)
        var slow = RTMPChunkReader()
        #expect(try bytes.singleBytes.flatMap { byte in try slow.all(in: byte) } == whole)
        for (first, second) in bytes.splits {
            var reader = RTMPChunkReader()
            #expect(try reader.all(in: first) + reader.all(in: second) == whole)
        }
        return whole
    }

    @Test("example 1 of the specification: audio in fmt 0, 2, 3, 3")
    func exampleOne() throws {
        let audio = Self.payload(32)
        let messages = try read(
            Self.bytes(
                [0x03, 0, 3, 0xE8, 0, 0, 32, 8, 0x39, 0x30, 0, 0],
                audio,
                [0x83, 0, 0, 20],
                audio,
                [0xC3],
                audio,
                [0xC3],
                audio
            )
        )
        #expect(messages.map(\.timestamp) == [1000, 1020, 1040, 1060])
        #expect(messages.map(\.streamID) == [12345, 12345, 12345, 12345])
        #expect(messages.allSatisfy { $0.type == 8 && $0.body == ByteBuffer(bytes: audio) })
    }

    @Test("example 2 of the specification: a message of 307 bytes in chunks of 128")
    func exampleTwo() throws {
        let video = Self.payload(307)
        let messages = try read(
            Self.bytes(
                [0x04, 0, 3, 0xE8, 0, 1, 0x33, 9, 0x3A, 0x30, 0, 0],
                Array(video[..<128]),
                [0xC4],
                Array(video[128..<256]),
                [0xC4],
                Array(video[256...])
            )
        )
        #expect(messages.map(\.body) == [ByteBuffer(bytes: video)])
        #expect(messages.map(\.timestamp) == [1000])
    }

    @Test("messages of two chunk streams lie between each other's chunks")
    func interleaves() throws {
        let video = Self.payload(200)
        let messages = try read(
            Self.bytes(
                [0x04, 0, 0, 1, 0, 0, 200, 9, 1, 0, 0, 0],
                Array(video[..<128]),
                [0x03, 0, 0, 2, 0, 0, 2, 8, 1, 0, 0, 0],
                [1, 2],
                [0xC4],
                Array(video[128...])
            )
        )
        #expect(messages.map(\.type) == [8, 9])
        #expect(messages.map(\.body.readableBytes) == [2, 200])
    }

    @Test("chunk stream ids of two and three bytes")
    func longChunkStreamIDs() throws {
        let header: [UInt8] = [0, 0, 0, 0, 0, 1, 8, 1, 0, 0, 0, 7]
        let messages = try read(
            Self.bytes([0x00, 0], header, [0x00, 0xFF], header, [0x01, 0xFF, 0xFF], header, [0xC1, 0xFF, 0xFF, 9])
        )
        #expect(messages.map(\.body) == [7, 7, 7, 9].map { ByteBuffer(integer: $0 as UInt8) })
    }

    @Test("extended timestamps, repeated on the following chunks or not", arguments: [true, false])
    func extendedTimestamps(repeated: Bool) throws {
        let video = Self.payload(130)
        let time: [UInt8] = [0x01, 0, 0, 0]
        let messages = try read(
            Self.bytes(
                [0x04, 0xFF, 0xFF, 0xFF, 0, 0, 130, 9, 1, 0, 0, 0],
                time,
                Array(video[..<128]),
                [0xC4],
                repeated ? time : [],
                Array(video[128...]),
                // The next message has a short delta again.
                [0x84, 0, 0, 40],
                Array(video[..<128]),
                [0xC4],
                Array(video[128...])
            )
        )
        #expect(messages.map(\.timestamp) == [0x0100_0000, 0x0100_0028])
        #expect(messages.map(\.body) == [ByteBuffer(bytes: video), ByteBuffer(bytes: video)])
    }

    @Test("Set Chunk Size holds from the next chunk on")
    func setsChunkSize() throws {
        let video = Self.payload(300)
        let messages = try read(
            Self.bytes(
                [0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0],
                [0, 0, 1, 0],
                [0x04, 0, 0, 0, 0, 1, 0x2C, 9, 1, 0, 0, 0],
                Array(video[..<256]),
                [0xC4],
                Array(video[256...])
            )
        )
        #expect(messages.map(\.body) == [ByteBuffer(bytes: video)])
    }

    @Test("Abort gives up the message begun on a chunk stream")
    func aborts() throws {
        let video = Self.payload(200)
        let messages = try read(
            Self.bytes(
                [0x04, 0, 0, 1, 0, 0, 200, 9, 1, 0, 0, 0],
                Array(video[..<128]),
                [0x02, 0, 0, 0, 0, 0, 4, 2, 0, 0, 0, 0],
                [0, 0, 0, 4],
                [0x04, 0, 0, 2, 0, 0, 1, 9, 1, 0, 0, 0],
                [5]
            )
        )
        #expect(messages.map(\.body) == [ByteBuffer(bytes: [5])])
    }

    @Test("a message without a body is complete with its header")
    func emptyMessages() throws {
        let messages = try read(Self.bytes([0x04, 0, 0, 1, 0, 0, 0, 9, 1, 0, 0, 0], [0xC4], [0xC4]))
        #expect(messages.map(\.timestamp) == [1, 2, 3])
    }

    @Test("aggregates come apart, with times that count from the aggregate's own")
    func splitsAggregates() throws {
        func tag(_ type: UInt8, _ time: UInt8, _ body: [UInt8]) -> [UInt8] {
            [type, 0, 0, UInt8(body.count), 0, 0, time, 0, 0, 0, 0] + body + [0, 0, 0, UInt8(body.count + 11)]
        }
        let aggregate = RTMPMessage(
            type: 22,
            timestamp: 1000,
            streamID: 1,
            body: Self.bytes(
                tag(9, 10, [1, 2]),
                tag(8, 13, [3]),
                tag(1, 13, [0, 0, 0, 1]),
                tag(9, 50, [4]),
                [9, 0, 0, 200]
            )
        )
        var messages: [RTMPMessage] = []
        RTMPAggregate.split(aggregate, into: &messages)
        #expect(messages.map(\.timestamp) == [1000, 1003, 1040])
        #expect(messages.map(\.type) == [9, 8, 9])
    }

    @Test("limits: message length, incomplete bytes, chunk streams, chunk size 0, headers that inherit nothing")
    func keepsLimits() {
        func fault(_ bytes: ByteBuffer) -> RTMPFault? {
            var reader = RTMPChunkReader()
            do throws(RTMPFault) { _ = try reader.all(in: bytes) } catch { return error }
            return nil
        }
        #expect(
            fault(Self.bytes([0x04, 0, 0, 0, 0xFF, 0xFF, 0xFF, 9, 1, 0, 0, 0]))
                == .messageTooLong(length: 0xFF_FFFF, limit: 65_536)
        )
        #expect(fault(Self.bytes([0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0], [0, 0, 0, 0])) == .badChunkSize)
        #expect(fault(Self.bytes([0xC4, 1])) == .headerOfNothing(chunkStream: 4))
        var many = ByteBuffer()
        for id in 2..<60 as Range<UInt8> { many.writeBytes([id, 0, 0, 0, 0, 0, 0, 9, 1, 0, 0, 0]) }
        #expect(fault(many) == .tooManyChunkStreams)
        // 16 streams that each begin a message of 64 KB and never end it.
        var open = Self.bytes([0x02, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0], [0, 1, 0, 0])
        for id in 3..<20 as Range<UInt8> {
            open.writeBytes([id, 0, 0, 0, 1, 0, 0, 9, 1, 0, 0, 0])
            open.writeRepeatingByte(0, count: 65_536)
            open.writeBytes([id, 0, 0, 0, 1, 0, 0, 9, 1, 0, 0, 0])
        }
        #expect(fault(open) == nil)
        var held = Self.bytes([])
        for id in 3..<30 as Range<UInt8> {
            for chunk in 0..<511 {
                if chunk == 0 {
                    held.writeBytes([id, 0, 0, 0, 1, 0, 0, 9, 1, 0, 0, 0])
                } else {
                    held.writeInteger(0xC0 | id)
                }
                held.writeRepeatingByte(0, count: 128)
            }
        }
        guard case .tooMuchIncomplete = fault(held) else {
            Issue.record("incomplete messages were not limited")
            return
        }
    }

    @Test(
        "what the writer writes, the reader reads: sizes around the chunk size, times around the extended ones",
        arguments: [1, 59_994, 59_995, 59_996, 60_000, 120_000, 400_000],
        [0, 0xFF_FFFE, 0xFF_FFFF, 0x100_0000, 0xFFFF_FFFF] as [UInt32]
    )
    func writesWhatReaderReads(size: Int, timestamp: UInt32) throws {
        let body = ByteBuffer(bytes: [0x27, 1, 0, 0, 0] + Self.payload(size))
        let message = FLVMessage(kind: .video, timestamp: timestamp, body: body)
        var bytes = RTMPTestClient.message(.setChunkSize, body: ByteBuffer(integer: UInt32(RTMPChunkWriter.chunkSize)))
        RTMPChunkWriter.write(message, into: &bytes)
        var reader = RTMPChunkReader()
        reader.limits = .publisher
        let read = try reader.all(in: bytes)
        #expect(read == [RTMPMessage(type: 9, timestamp: timestamp, streamID: 1, body: body)])
    }
}
