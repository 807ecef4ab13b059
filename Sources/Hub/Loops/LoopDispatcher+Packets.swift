import Media
import NIOCore
import Streaming

// RTSP readers.
extension LoopDispatcher {
    /// What is copied at a time for readers that do not take the log's bytes as they are; more than the longest packet.
    private static let mappedBytes = 128 * 1024
    /// What a reader is sent over UDP in one turn, with room for the longest packet: a group of pictures at once would not find
    /// room in its socket.
    private static let datagramBytes = 65 * 1024
    private static let datagramPause = TimeAmount.milliseconds(5)
    /// A stream with a publisher tells within this time where its packets begin.
    private static let answerTime = TimeAmount.milliseconds(100)

    func add(
        _ session: SessionInfo,
        stream: String,
        reading: RTPReading,
        delivery: RTPDelivery,
        onEnd: ((Viewer.CloseReason) -> ByteBuffer?)?
    ) -> Viewer {
        loop.assertInEventLoop()
        let (readers, isNew) = readers(of: stream, .rtsp)
        let viewer: Viewer
        switch delivery {
        case .interleaved(let channel, let sink, let answer):
            viewer = Viewer(
                session: session,
                stream: stream,
                readers: readers,
                channel: channel,
                descriptor: prepare(channel, sink),
                dispatcher: self,
                onEnd: onEnd
            )
            viewer.answer = answer
        case .datagrams(let sink, let answer):
            viewer = Viewer(
                session: session,
                stream: stream,
                readers: readers,
                channel: nil,
                descriptor: nil,
                datagrams: sink,
                dispatcher: self,
                onEnd: onEnd
            )
            viewer.answer = { starts in
                answer(starts)
                return ByteBuffer()
            }
        }
        viewer.reading = reading
        viewer.cursor.startsLive = reading.startsLive
        if let view = readers.view { compare(viewer, with: view) }
        enter(viewer, isFirst: isNew)
        begin(viewer, waits: true)
        return viewer
    }

    /// Sends the answer to PLAY; what follows it may go out then.
    /// - Parameter waits: for the publisher's loop to say where the stream begins.
    func begin(_ viewer: Viewer, waits: Bool = false) {
        guard let answer = viewer.answer else {
            pump(viewer)
            return
        }
        if waits, viewer.readers.view == nil, registry.publication(of: viewer.stream) != nil {
            loop.assumeIsolated().scheduleTask(in: Self.answerTime) { self.begin(viewer) }
            return
        }
        viewer.answer = nil
        let key = viewer.readers.view.flatMap { start(viewer, in: $0) }
        let bytes = answer(key?.preamble.starts)
        guard viewer.datagrams == nil else {
            viewer.isBlocked = false
            pump(viewer)
            return
        }
        write(bytes, to: viewer)
    }

    /// The publisher's loop has told what there is.
    func beginAnswers(_ readers: LoopReaders) {
        for viewer in readers.viewers where viewer.answer != nil { begin(viewer) }
    }

    /// A log that the readers do not know, or more medias in it: whoever was told of others has to ask again.
    func compare(_ readers: LoopReaders, with view: LogView) {
        for viewer in readers.viewers { compare(viewer, with: view) }
    }

    private func compare(_ viewer: Viewer, with view: LogView) {
        guard let reading = viewer.reading, let present = view.description else { return }
        if !reading.isPlain(of: present) || viewer.datagrams != nil {
            viewer.cursor.beginMapping(in: view)
        } else if viewer.cursor.position == nil {
            viewer.cursor.endMapping()
        }
        if !present.isCompatible(with: reading.description) {
            // After the present turn: ending changes the list.
            loop.assumeIsolated().execute { self.end(viewer, because: .descriptionChanged) }
        }
    }

    /// Lays the next packets out as the reader has set them up.
    func map(_ viewer: Viewer, in view: LogView) {
        guard !viewer.isEnding, !viewer.cursor.hasPieces else { return }
        convert(viewer, in: view)
    }

    /// - Returns: false when nothing is left in the log.
    @discardableResult
    func convert(_ viewer: Viewer, in view: LogView) -> Bool {
        guard let reading = viewer.reading else { return false }
        while viewer.cursor.takePackets(from: view, limit: Self.mappedBytes, into: &packets) {
            var out = ByteBuffer()
            forEachPacket(of: packets) { channel, packet in
                guard let own = reading.channel(for: channel) else { return }
                if reading.isWebSocket {
                    let length = packet.count &+ InterleavedFrame.headerLength
                    WebSocketFrame.writeHeader(opcode: .binary, length: length, into: &out)
                }
                out.writeMultipleIntegers(InterleavedFrame.marker, own, UInt16(truncatingIfNeeded: packet.count))
                out.writeBytes(packet)
            }
            guard out.readableBytes == 0 else {
                viewer.cursor.insert(packets: out)
                return true
            }
        }
        return false
    }

    /// Sends the next packets as datagrams.
    func send(_ datagrams: any RTPDatagramSink, of viewer: Viewer, in view: LogView?) -> Int {
        guard !viewer.isEnding, let view, let reading = viewer.reading,
            viewer.cursor.takePackets(from: view, limit: Self.datagramBytes, into: &packets)
        else { return 0 }
        var count = 0
        forEachPacket(of: packets) { channel, packet in
            guard reading.channel(for: channel) != nil else { return }
            count &+= 1
            datagrams.send(packet, media: Int(channel >> 1), isRTCP: channel & 1 == 1)
        }
        let sent = datagrams.flush()
        statistics.sends &+= count
        statistics.sentBytes &+= sent
        viewer.meter.wroteBytes &+= sent
        viewer.progressed = loop.now
        if viewer.cursor.position != view.end {
            viewer.isBlocked = true
            loop.assumeIsolated().scheduleTask(in: Self.datagramPause) {
                viewer.isBlocked = false
                self.pump(viewer)
            }
        }
        return count
    }

    /// A farewell over UDP: packets in interleaved form.
    func send(farewell: ByteBuffer, _ datagrams: any RTPDatagramSink) {
        forEachPacket(of: farewell) { channel, packet in
            datagrams.send(packet, media: Int(channel >> 1), isRTCP: channel & 1 == 1)
        }
        _ = datagrams.flush()
    }

    private func forEachPacket(of bytes: ByteBuffer, _ body: (UInt8, UnsafeRawBufferPointer) -> Void) {
        bytes.withUnsafeReadableBytes { all in
            var at = 0
            while let (channel, range) = InterleavedFrame.next(in: all.bytes, at: &at) {
                body(channel, UnsafeRawBufferPointer(rebasing: all[range]))
            }
        }
    }
}
