internal import Media
internal import NIOCore

/// FLV is whole after each tag.
final class FLVFile: ContainerMuxer {
    private var packager: FLVPackager
    private var messages: [FLVMessage] = []

    init(_ tracks: RecordedTracks, form: FLVHEVCFormat, time: Int64, into bytes: inout ByteBuffer) {
        packager = FLVPackager(hevc: form)
        for event in tracks.events { packager.package(event, into: &messages) }
        messages.removeAll(keepingCapacity: true)
        // Both tracks are announced, as lal does: one may come later.
        FLVTagWriter.writeFileHeader(into: &bytes)
        for var message in packager.headers {
            message.timestamp = UInt32(truncatingIfNeeded: time / 90)
            FLVTagWriter.write(message, into: &bytes)
        }
    }

    func receive(_ event: MediaEvent, into bytes: inout ByteBuffer) {
        packager.package(event, into: &messages)
        for message in messages { FLVTagWriter.write(message, into: &bytes) }
        messages.removeAll(keepingCapacity: true)
    }

    func mux(_ frame: Frame, startsGOP: Bool, into bytes: inout ByteBuffer) {
        receive(.frame(frame), into: &bytes)
    }
}

extension RecordedTracks {
    var events: [MediaEvent] {
        [metadata.map(MediaEvent.metadata), video.map(MediaEvent.video), audio.map(MediaEvent.audio)].compactMap { $0 }
    }
}
