import Hub
import Media
import NIOCore
import Streaming

// Playing
extension RTSPSession {
    func play(
        _ request: RTSPServerRequest,
        on handler: RTSPHandler?,
        _ reply: @escaping (RTSPServerReply) -> Void
    ) {
        guard let offer, let reservation else {
            reply(.status(.notValidInState))
            return
        }
        if core.setups.first?.delivery == .multicast {
            joinGroup(offer, reservation, reply)
            return
        }
        let answer: ([RTPStart]?) -> RTSPServerReply = { [self] starts in
            core.play { media in
                guard let starts, starts.indices.contains(media), offer.description.media[media].formats.count == 1
                else { return nil }
                return starts[media]
            }
        }
        let delivery: RTPDelivery
        if core.isInterleaved {
            guard let handler, let channel = handler.context?.channel else {
                reply(.status(.badRequest))
                return
            }
            delivery = .interleaved(channel, handler.sink) { handler.answer(to: request, answer($0)) }
        } else {
            let medias = offer.description.media.indices
            delivery = .datagrams(RTSPDatagramReader(medias.map { ports[$0] })) { reply(answer($0)) }
        }
        let reading = RTPReading(
            description: offer.description,
            channels: channels(of: offer),
            isWebSocket: handler?.isWebSocket ?? false
        )
        do throws(HubError) {
            self.reservation = nil
            viewer = try hub.read(reservation, reading, over: delivery) { [weak self] in self?.released($0) }
        } catch {
            reply(.status(RTSPHandler.status(error)))
        }
    }

    private func joinGroup(
        _ offer: RTPOffer,
        _ reservation: ViewerReservation,
        _ reply: @escaping (RTSPServerReply) -> Void
    ) {
        guard let multicast = options.multicast else {
            reply(.status(.unsupportedTransport))
            return
        }
        do {
            let bound = NIOLoopBound(self, eventLoop: loop)
            let loop = loop
            group = try multicast.groups.join(core.address, offer, hub: hub, options: multicast, on: loop) {
                loop.execute { bound.value.end(.ended("the stream ended"), closes: true) }
            }
            reply(core.play { _ in nil })
        } catch {
            reply(.status(.unsupportedTransport))
        }
    }

    /// By media: the channel that the client has chosen, or over UDP that of the log.
    private func channels(of offer: RTPOffer) -> [UInt8?] {
        var channels: [UInt8?] = Array(repeating: nil, count: offer.description.media.count)
        for setup in core.setups where channels.indices.contains(setup.media) {
            switch setup.delivery {
            case .interleaved(let own): channels[setup.media] = own.rtp
            case .udp, .multicast: channels[setup.media] = InterleavedFrame.channel(ofMedia: setup.media)
            }
        }
        return channels
    }

    func pause(then: @escaping () -> Void) {
        guard let viewer else {
            group?.leave()
            group = nil
            then()
            return
        }
        // A pull on demand goes on meanwhile.
        reservation = hub.reserve(pausing: viewer, app: core.address.app)
        leave(then: then)
    }

    /// Nothing is sent any more when `then` is called.
    func leave(then: @escaping () -> Void) {
        guard let viewer else {
            then()
            return
        }
        guard core.isInterleaved else {
            self.viewer = nil
            viewer.close()
            then()
            return
        }
        viewer.release { [self] in
            self.viewer = nil
            then()
        }
    }

    /// The Hub ends the reader: RTCP says goodbye for every source, then the connection goes.
    private func released(_ reason: Viewer.CloseReason) -> ByteBuffer? {
        viewer = nil
        var last = ByteBuffer()
        if let offer {
            for (media, channel) in channels(of: offer).enumerated() where offer.sources.indices.contains(media) {
                guard let channel else { continue }
                let packet = RTCPPacket.goodbye(from: offer.sources[media])
                var frame = ByteBuffer()
                let length = UInt16(truncatingIfNeeded: packet.count)
                frame.writeMultipleIntegers(InterleavedFrame.marker, channel &+ 1, length)
                frame.writeBytes(packet)
                last.writeImmutableBuffer(handler?.framed(frame) ?? frame)
            }
        }
        let bound = NIOLoopBound(self, eventLoop: loop)
        let closes = !core.isInterleaved
        loop.execute { bound.value.end(.ended("\(reason)"), closes: closes) }
        return last
    }
}
