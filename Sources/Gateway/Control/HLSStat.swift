/// A stream that is cut into HLS segments, in `stat/hls`: once for each container.
package struct HLSStat: Codable, Hashable, Sendable {
    package var streamName: String
    /// `ts` or `fmp4`.
    package var container: String
    /// Of the segments that are held.
    package var memoryBytes: Int
    /// Requests that wait for what is to come.
    package var waiting: Int
    /// Segments that went before their time for want of memory, or were not written by a slow disk.
    package var droppedSegments: Int
    package var droppedFrames: Int
    /// What goes wrong with the disk; empty while nothing does.
    package var fault: String

    package init(
        streamName: String,
        container: String,
        memoryBytes: Int,
        waiting: Int,
        droppedSegments: Int,
        droppedFrames: Int,
        fault: String
    ) {
        self.streamName = streamName
        self.container = container
        self.memoryBytes = memoryBytes
        self.waiting = waiting
        self.droppedSegments = droppedSegments
        self.droppedFrames = droppedFrames
        self.fault = fault
    }

    private enum CodingKeys: String, CodingKey {
        case streamName = "stream_name"
        case container
        case memoryBytes = "memory_bytes"
        case waiting
        case droppedSegments = "dropped_segments"
        case droppedFrames = "dropped_frames"
        case fault
    }
}

package struct HLSStats: Codable, Hashable, Sendable {
    package var streams: [HLSStat]

    package init(streams: [HLSStat]) {
        self.streams = streams
    }
}
