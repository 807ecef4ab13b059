// What GStreamer calls what takes a codec apart and puts it together.
extension MatrixClip.Video {
    var gstreamerParser: String {
        switch self {
        case .h264, .h264B: "h264parse"
        case .h265: "h265parse"
        case .av1: "av1parse"
        case .vp9: "vp9parse"
        case .vp8: "video/x-vp8"
        case .jpeg: "image/jpeg"
        }
    }

    var gstreamerDepayloader: String {
        switch self {
        case .h264, .h264B: "rtph264depay"
        case .h265: "rtph265depay"
        case .av1: "rtpav1depay"
        case .vp9: "rtpvp9depay"
        case .vp8: "rtpvp8depay"
        case .jpeg: "rtpjpegdepay"
        }
    }
}

extension MatrixClip.Audio {
    var gstreamerParser: String {
        switch self {
        case .aac: "aacparse"
        case .g711a: "audio/x-alaw"
        case .g711u: "audio/x-mulaw"
        case .mp3: "mpegaudioparse"
        case .opus: "opusparse"
        }
    }

    var gstreamerDepayloader: String {
        switch self {
        case .aac: "rtpmp4gdepay"
        case .g711a: "rtppcmadepay"
        case .g711u: "rtppcmudepay"
        case .mp3: "rtpmpadepay"
        case .opus: "rtpopusdepay"
        }
    }
}
