import Media
import NIOCore

/// Input: a byte of options, a byte of the cut, then an FLV stream, without its header where the options say so.
///
/// What is read must not depend on the cut; what becomes of it, packaged and read again, is what it was.
func fuzzFLV(_ input: [UInt8]) {
    var input = InputReader(input)
    let options = input.byte()
    let cut = input.byte()
    var start = ByteBuffer()
    if options & 1 == 0 { FLVTagWriter.writeFileHeader(into: &start) }
    let stream = Array(buffer: start).dropLast(options & 2 == 0 ? 0 : 4) + input.remaining()
    let messages = tags([ByteBuffer(bytes: stream)])
    require(tags(pieces(stream, cut: cut)), is: messages, "depends on the cut")

    let events = unpacked(messages)
    check(events)
    for form in FLVHEVCFormat.allCases {
        let packaged = packaged(events, form)
        var file = ByteBuffer()
        FLVTagWriter.writeFileHeader(into: &file)
        for message in packaged { FLVTagWriter.write(message, into: &file) }
        require(tags([file]), is: packaged, "tags read as something else")
        require(comparable(unpacked(packaged)), is: comparable(events), "media reads as something else")
        let other: FLVHEVCFormat = form == .legacy ? .enhanced : .legacy
        let converted = packaged.map { $0.converted(to: other) }
        require(comparable(unpacked(converted)), is: comparable(events), "converted media reads as something else")
        require(converted.map { $0.converted(to: form) }, is: packaged, "there and back is elsewhere")
    }
}

private func tags(_ pieces: [ByteBuffer]) -> [FLVMessage] {
    var reader = FLVTagReader()
    var held = ByteBuffer()
    var messages: [FLVMessage] = []
    for piece in pieces {
        held.writeImmutableBuffer(piece)
        while let message = try? reader.next(from: &held) { messages.append(message) }
    }
    return messages
}

private func unpacked(_ messages: [FLVMessage]) -> [MediaEvent] {
    var unpackager = FLVUnpackager()
    var events: [MediaEvent] = []
    for message in messages { unpackager.receive(message, into: &events) }
    return events
}

private func packaged(_ events: [MediaEvent], _ form: FLVHEVCFormat) -> [FLVMessage] {
    var packager = FLVPackager(hevc: form)
    var messages: [FLVMessage] = []
    for event in events { packager.package(event, into: &messages) }
    precondition(packager.droppedFrames == 0, "its own parameters are not enough for it")
    return messages
}

private func check(_ events: [MediaEvent]) {
    var known: Set<TrackKind> = []
    for event in events {
        switch event {
        case .video(let parameters):
            known.insert(.video)
            precondition(parameters.decoderConfiguration != nil)
        case .audio: known.insert(.audio)
        case .frame(let frame):
            precondition(known.contains(frame.track) && frame.payload.readableBytes > 0)
            precondition(frame.dts % 90 == 0 && frame.pts % 90 == 0)
        default: break
        }
    }
}

/// What a way through FLV keeps: milliseconds count within 32 bits, and Opus has its parameters from its number.
private func comparable(_ events: [MediaEvent]) -> [MediaEvent] {
    events.compactMap { event in
        switch event {
        case .audio(let parameters):
            guard parameters.codec != .opus else { return nil }
            return event
        case .frame(var frame):
            let offset = frame.pts - frame.dts
            frame.dts = Int64(UInt32(truncatingIfNeeded: frame.dts / 90)) * 90
            frame.pts = frame.dts + offset
            return .frame(frame)
        case .video: return event
        default: return nil
        }
    }
}
