import Media
import NIOCore
import Streaming

extension MessageFramer {
    /// The message that `write` has laid out; nil when the bytes are none. So a log of one format is made from that of another
    /// and no stream keeps its messages twice.
    func read(_ bytes: ByteBuffer) -> FLVMessage? {
        switch format.framing {
        case .flv: readTag(bytes)
        case .webSocketFLV: readFrame(bytes)
        case .rtmp, .rtmpPublish: readChunks(bytes)
        case .rtsp, .ts, .webSocketTS, .fmp4, .webSocketFMP4: nil
        }
    }

    private func readFrame(_ bytes: ByteBuffer) -> FLVMessage? {
        guard let length = bytes.getInteger(at: bytes.readerIndex &+ 1, as: UInt8.self) else { return nil }
        let header =
            switch length & 0x7F {
            case 126: 4
            case 127: 10
            default: 2
            }
        return bytes.getSlice(at: bytes.readerIndex &+ header, length: bytes.readableBytes &- header).flatMap(readTag)
    }

    private func readTag(_ bytes: ByteBuffer) -> FLVMessage? {
        var bytes = bytes
        guard let (first, time, high, _) = bytes.readMultipleIntegers(as: (UInt32, UInt32, UInt16, UInt8).self),
            high == 0,
            let kind = FLVMessage.Kind(rawValue: UInt8(truncatingIfNeeded: first >> 24)),
            let body = bytes.readSlice(length: Int(first & 0xFF_FFFF))
        else { return nil }
        return FLVMessage(kind: kind, timestamp: time >> 8 | time << 24, body: body)
    }

    private func readChunks(_ bytes: ByteBuffer) -> FLVMessage? {
        var bytes = bytes
        guard let (first, second, _) = bytes.readMultipleIntegers(as: (UInt32, UInt32, UInt32).self),
            let kind = FLVMessage.Kind(rawValue: UInt8(truncatingIfNeeded: second))
        else { return nil }
        var time = first & 0xFF_FFFF
        let isExtended = time == 0xFF_FFFF
        if isExtended {
            guard let extended = bytes.readInteger(as: UInt32.self) else { return nil }
            time = extended
        }
        var rest = Int(second >> 8)
        var body = ByteBuffer()
        while rest > 0 {
            if body.readableBytes > 0 {
                let header = isExtended ? 5 : 1
                guard bytes.readableBytes > header else { return nil }
                bytes.moveReaderIndex(forwardBy: header)
            }
            guard var part = bytes.readSlice(length: min(rest, RTMPChunkWriter.chunkSize)) else { return nil }
            rest &-= part.readableBytes
            body.writeBuffer(&part)
        }
        if case .rtmpPublish = format.framing, kind == .script {
            var reader = AMF0Reader(body)
            guard case .string("@setDataFrame") = try? reader.next() else { return nil }
            // The marker, the length and the text.
            body.moveReaderIndex(forwardBy: 3 + 13)
        }
        return FLVMessage(kind: kind, timestamp: time, body: body)
    }
}
