import Hub
import NIOCore
import NIOEmbedded
import Streaming
import Testing

@testable import Transport

@Suite struct RTMPBackpressureTests {
    /// One that sent commands and read no answer made the server hold all answers: 150 MB in a minute.
    @Test func whoReadsNoAnswersIsNotReadAnyFurther() throws {
        let loop = EmbeddedEventLoop()
        let hub = Hub(group: loop)
        let handler = RTMPHandler(hub: hub, sink: .channel, options: RTMPServerOptions())
        let channel = EmbeddedChannel(handler: handler, loop: loop)
        func reads() -> Bool? {
            channel.options.last { $0.option is ChannelOptions.Types.AutoReadOption }?.value as? Bool
        }
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        #expect(reads() == false)
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        #expect(reads() == true)
        _ = try channel.finish()
    }
}
