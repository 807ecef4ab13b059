/// Session descriptions with what is wrong in those of devices.
enum SDPFixtures {
    struct Device: CustomStringConvertible, Sendable {
        var name: String
        var sdp: String
        /// Of each media: kind and the encoding of its first format.
        var medias: [String]
        var controls: [String?]
        var sessionControl: String?
        var description: String { name }
    }

    static let all = reported + composed

    /// Retyped from issues of other projects; shortened, and where a report shows only some lines, completed. Dahua, TP-Link and
    /// the video server each join two reports, and Foscam's time is that of another.
    private static let reported: [Device] = [
        Device(
            name: "Hikvision recorder: fmtp of another payload type, no rate of the sound's channels",
            sdp: """
                v=0
                o=- 1109162014219182 0 IN IP4 0.0.0.0
                s=HIK Media Server V5.03.010
                i=HIK Media Server Session Description : standard
                e=NONE
                c=IN IP4 0.0.0.0
                b=AS:2080
                t=0 0
                a=control:*
                a=range:npt=now-
                m=video 0 RTP/AVP 96
                i=Video Media
                b=AS:2048
                a=recvonly
                a=control:trackID=video
                a=rtpmap:96 H264/90000
                a=fmtp:96 profile-level-id=4D0014;packetization-mode=0
                m=audio 0 RTP/AVP 104
                i=Audio Media
                b=AS:32
                a=recvonly
                a=control:trackID=audio
                a=rtpmap:104 MPEG4-GENERIC/16000
                a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1408
                a=Media_header:MEDIAINFO=494D4B48020100000400000101200210401F00000000000000000000000000000000000000000000;
                a=appversion:1.0
                """,
            medias: ["video H264", "audio MPEG4-GENERIC"],
            controls: ["trackID=video", "trackID=audio"],
            sessionControl: "*"
        ),
        Device(
            name: "Hikvision playback: attributes before bandwidth, parameters in mixed case",
            sdp: """
                v=0
                o=- 1109162014219182 0 IN IP4 0.0.0.0
                s=HIK Media Server V3.4.109
                t=0 0
                a=control:*
                b=AS:4106
                a=range:clock=20200618T212222Z-20200618T212312Z
                m=video 0 RTP/AVP 96
                a=rtpmap:96 H264/90000
                a=fmtp:96 profile-level-id=4D0014;packetization-mode=0
                a=control:trackID=video
                b=AS:4096
                m=audio 0 RTP/AVP 104
                a=rtpmap:104 MPEG4-GENERIC/32000
                a=control:trackID=audio
                a=fmtp:104 profile-level-id=15; streamtype=5; mode=AAC-hbr; config=1408;SizeLength=13; IndexLength=3; IndexDeltaLength=3; Profile=1;
                b=AS:10
                """,
            medias: ["video H264", "audio MPEG4-GENERIC"],
            controls: ["trackID=video", "trackID=audio"],
            sessionControl: "*"
        ),
        Device(
            name: "Dahua with a back channel",
            sdp: """
                v=0
                o=- 2229913047 2229913047 IN IP4 0.0.0.0
                s=Media Server
                c=IN IP4 0.0.0.0
                t=0 0
                a=control:*
                a=packetization-supported:DH
                a=rtppayload-supported:DH
                a=range:npt=now-
                a=x-summary:Oversea
                m=video 0 RTP/AVP 98
                a=control:trackID=0
                a=framerate:30.000000
                a=rtpmap:98 H265/90000
                a=fmtp:98 profile-id=1;sprop-sps=QgEBAWAAAAMAAAMAAAMAAAMAlqABaCAGWfeNrkkya5YwCAAAAwAIAAADAPBA;sprop-pps=RAHgdoaNAwYMZA==;sprop-vps=QAEMAf//AWAAAAMAAAMAAAMAAAMAlqwJ
                a=recvonly
                m=audio 0 RTP/AVP 8
                a=control:trackID=1
                a=rtpmap:8 PCMA/8000
                a=recvonly
                m=audio 0 RTP/AVP 116 115 0 103 8
                a=control:trackID=5
                a=rtpmap:116 MPEG4-GENERIC/64000
                a=rtpmap:115 MPEG4-GENERIC/48000
                a=sendonly
                """,
            medias: ["video H265", "audio PCMA", "audio MPEG4-GENERIC"],
            controls: ["trackID=0", "trackID=1", "trackID=5"],
            sessionControl: "*"
        ),
        Device(
            name: "TP-Link: a format that is no payload type",
            sdp: """
                v=0
                o=- 14665860 31787219 1 IN IP4 192.168.35.39
                s=Session streamed by "TP-LINK RTSP Server"
                t=0 0
                m=video 0 RTP/AVP 96
                c=IN IP4 0.0.0.0
                b=AS:4096
                a=range:npt=0-
                a=control:track1
                a=rtpmap:96 H264/90000
                a=fmtp:96 packetization-mode=1; profile-level-id=640016; sprop-parameter-sets=Z2QAFqzGoCgC9oQAAAMABAAAAwCkIA==,aOvssiw=
                m=audio 0 RTP/AVP 8
                a=rtpmap:8 PCMA/8000
                a=control:track2
                m=application/TP-LINK 0 RTP/AVP smart/1/90000
                a=rtpmap:95 TP-LINK/90000
                a=control:track3
                """,
            medias: ["video H264", "audio PCMA", "application/TP-LINK TP-LINK"],
            controls: ["track1", "track2", "track3"]
        ),
        Device(
            name: "H3C: an origin and connections cut short, absolute controls",
            sdp: """
                v=0
                o=- 1001 1 IN
                s=VCP IPC Realtime stream
                m=video 0 RTP/AVP 105
                c=IN
                a=control:rtsp://192.168.0.60/media/video1/video
                a=rtpmap:105 H264/90000
                a=fmtp:105 profile-level-id=640032; packetization-mode=1; sprop-parameter-sets=Z2QAMqw7UBQAWtCAAAH0AABhqEI=,aOqPLA==
                a=recvonly
                m=application 0 RTP/AVP 107
                c=IN
                a=control:rtsp://192.168.0.60/media/video1/metadata
                a=rtpmap:107 vnd.onvif.metadata/90000
                a=fmtp:107 DecoderTag=h3c-v3 RTCP=0
                a=recvonly
                """,
            medias: ["video H264", "application vnd.onvif.metadata"],
            controls: [
                "rtsp://192.168.0.60/media/video1/video", "rtsp://192.168.0.60/media/video1/metadata",
            ]
        ),
        Device(
            name: "a Chinese camera: nothing but a media",
            sdp: """
                m=video 0 RTP/AVP 96
                a=rtpmap:96 H264/90000
                a=control:trackID=0
                """,
            medias: ["video H264"],
            controls: ["trackID=0"]
        ),
        Device(
            name: "Foscam: \"t=now-\" and a name of control characters",
            sdp: """
                v=0
                o=StreamingServer 3331435948 1116907222000 IN IP4 192.168.253.97
                s=\\11
                c=IN IP4 0.0.0.0
                b=AS:2056
                t=now-
                a=range:npt=now-
                a=control:*
                m=video 0 RTP/AVP 96
                b=AS:2048
                a=control:trackID=0
                a=rtpmap:96 H264/90000
                a=fmtp:96 packetization-mode=1;profile-level-id=4D400C;sprop-parameter-sets=Z0LgHtoCwEkQ,aM4wpIA=
                a=framesize:96 704-576
                """,
            medias: ["video H264"],
            controls: ["trackID=0"],
            sessionControl: "*"
        ),
        Device(
            name: "Avigilon: a connection of another kind, lower case, several payload types",
            sdp: """
                v=0
                o=- 1705180917694 1705180917694 IN IP4 192.168.1.63
                s=Live
                t=0 0
                m=audio 0 RTP/AVP 0
                c=IN IP4 192.168.1.63
                a=control:rtsp://192.168.1.63/defaultPrimary/micCfg0/trackID=9?mtu=1440&streamType=u
                a=recvonly
                m=audio 0 RTP/AVP 0 97
                c=IN IP4 192.168.1.63
                c=SM SM spk0_trackID2
                a=control:rtsp://192.168.1.63/defaultPrimary/spk0/trackID=2?mtu=1440&streamType=u
                a=sendonly
                a=rtpmap:0 pcmu/8000
                a=rtpmap:97 opus/48000/2
                m=video 0 RTP/AVP 96
                c=IN IP4 192.168.1.63
                a=control:rtsp://192.168.1.63/defaultPrimary/vid0
                a=rtpmap:96 H264/90000
                """,
            medias: ["audio PCMU", "audio pcmu", "video H264"],
            controls: [
                "rtsp://192.168.1.63/defaultPrimary/micCfg0/trackID=9?mtu=1440&streamType=u",
                "rtsp://192.168.1.63/defaultPrimary/spk0/trackID=2?mtu=1440&streamType=u",
                "rtsp://192.168.1.63/defaultPrimary/vid0",
            ]
        ),
        Device(
            name: "EZVIZ: empty parameter sets, an absolute control of the session",
            sdp: """
                v=0
                o=- 1676583297494652 1676583297494652 IN IP4 192.168.1.58
                s=Media Presentation
                e=NONE
                b=AS:5050
                t=0 0
                a=control:rtsp://192.168.1.58:554/h264_stream/
                m=video 0 RTP/AVP 96
                b=AS:5000
                a=control:rtsp://192.168.1.58:554/h264_stream/trackID=1
                a=rtpmap:96 H265/90000
                a=fmtp:96 profile-level-id=420029; packetization-mode=1; sprop-parameter-sets=
                a=appversion:1.0
                """,
            medias: ["video H265"],
            controls: ["rtsp://192.168.1.58:554/h264_stream/trackID=1"],
            sessionControl: "rtsp://192.168.1.58:554/h264_stream/"
        ),
        Device(
            name: "Amcrest: an origin with a blank in the user's name",
            sdp: """
                v=0
                o=RTSP Session 0 0 IN IP4 0.0.0.0
                s=Media Server
                c=IN IP4 0.0.0.0
                t=0 0
                a=control:*
                m=video 0 RTP/AVP 96
                a=control:trackID=0
                a=rtpmap:96 H264/90000
                m=audio 0 RTP/AVP 97
                a=control:trackID=1
                a=rtpmap:97 G726-16/8000
                """,
            medias: ["video H264", "audio G726-16"],
            controls: ["trackID=0", "trackID=1"],
            sessionControl: "*"
        ),
        Device(
            name: "a video server: \"IPV4\", a session id beyond 64 bits, twice the same control",
            sdp: """
                v=0
                o=RTSP 19599440071187478912 13656283801756621937 IN IPV4 10.10.10.10
                s=RTSP server
                c=IN IPV4 0.0.0.0
                t=0 0
                a=control:*
                a=etag:1234567890
                a=range:npt=0-
                a=control:*
                m=video 0 RTP/AVP 98
                a=control:trackID=1
                b=AS:0
                a=rtpmap:98 H264/90000
                a=fmtp:98 packetization-mode=1;profile-level-id=4d401f;sprop-parameter-sets=Z01AH42NQCgC3/gLcBAQFAAAD6AAATiDoYA9AAANWfrvLjQwB6AAAas/XeXCgA==,aO44gA==
                """,
            medias: ["video H264"],
            controls: ["trackID=1"],
            sessionControl: "*"
        ),
    ]

    /// Not seen: written here in the manner of the devices, with the faults that they are known for.
    private static let composed: [Device] = [
        Device(
            name: "Sony SNC: an empty connection, a payload type without a map",
            sdp: """
                v=0
                o=- 0x4e2b1a7f -3 IN IP4 192.168.1.20
                s=Sony RTSP Server
                c=
                t=0 0
                a=range:npt=now-
                m=audio 0 RTP/AVP 0
                a=control:trackID=2
                m=video 0 RTP/AVP 105
                a=rtpmap:105 H264/90000
                a=control:trackID=1
                a=framerate:25.0
                a=fmtp:105 packetization-mode=1; profile-level-id=640028; sprop-parameter-sets=Z2QAKK2EBUViuKxUdCAqKxXFYqOhAVFYrisVHQgKisVxWKjoQFRWK4rFR0ICorFcVio6ECSFITk8nyfk/k/J8nm5s00IEkKQnJ5Pk/J/J+T5PNzZprQCgDLSpAAAAwHgAAAu4YEAAPQkAABEqjve+F4RCNQAAAAB,aO48sA==
                """,
            medias: ["audio PCMU", "video H264"],
            controls: ["trackID=2", "trackID=1"]
        ),
        Device(
            name: "FLIR: medias \"metadata\" and \"text\", an unknown kind of bandwidth",
            sdp: """
                v=0
                o=- -1604438613 1 IN IP4 10.0.0.5
                s=FLIR
                b=TIAS:10000000
                b=X-YZ:128
                t=0 0
                m=video 0 RTP/AVP 96
                b=RR:0
                b=RS:1200
                a=rtpmap:96 H264/90000
                a=control:rtsp://10.0.0.5/ch0/trackID=1
                m=metadata 0 RTP/AVP 100
                a=rtpmap:100 IQ-METADATA/90000
                a=control:rtsp://10.0.0.5/ch0/trackID=3
                m=text 0 RTP/AVP 101
                a=rtpmap:101 t140/1000
                """,
            medias: ["video H264", "metadata IQ-METADATA", "text t140"],
            controls: ["rtsp://10.0.0.5/ch0/trackID=1", "rtsp://10.0.0.5/ch0/trackID=3", nil]
        ),
        Device(
            name: "Y-CAM: ports out of range, no rates",
            sdp: """
                v=0
                o=- 1 1 IN IP4 127.0.0.1
                s=Y-CAM
                t=0 0
                m=video 99999 RTP/AVP 96
                a=rtpmap:96 H264
                a=control:video
                m=audio -1 RTP/AVP 8
                a=control:audio
                """,
            medias: ["video H264", "audio PCMA"],
            controls: ["video", "audio"]
        ),
        Device(
            name: "Axis: a metadata stream beside the picture, aggregate control",
            sdp: """
                v=0
                o=- 13323204103422341 1 IN IP4 192.168.0.90
                s=Session streamed with GStreamer
                i=rtsp-server
                t=0 0
                a=tool:GStreamer
                a=type:broadcast
                a=range:npt=now-
                a=control:rtsp://192.168.0.90/axis-media/media.amp?video=1
                m=video 0 RTP/AVP 96
                c=IN IP4 0.0.0.0
                b=AS:50000
                a=rtpmap:96 H264/90000
                a=fmtp:96 packetization-mode=1;profile-level-id=640029;sprop-parameter-sets=Z2QAKa0AxSAeAIn5ZuAgIDSDxIio,aO48sA==
                a=ts-refclk:local
                a=mediaclk:sender
                a=recvonly
                a=control:rtsp://192.168.0.90/axis-media/media.amp/stream=0?video=1
                a=framerate:25.000000
                a=transform:1.000000,0.000000,0.000000;0.000000,1.000000,0.000000;0.000000,0.000000,1.000000
                m=application 0 RTP/AVP 98
                a=rtpmap:98 vnd.onvif.metadata/90000
                a=control:rtsp://192.168.0.90/axis-media/media.amp/stream=1?video=1
                """,
            medias: ["video H264", "application vnd.onvif.metadata"],
            controls: [
                "rtsp://192.168.0.90/axis-media/media.amp/stream=0?video=1",
                "rtsp://192.168.0.90/axis-media/media.amp/stream=1?video=1",
            ],
            sessionControl: "rtsp://192.168.0.90/axis-media/media.amp?video=1"
        ),
        Device(
            name: "Parrot: no time, no control of the session",
            sdp: """
                v=0
                o=- 0 0 IN IP4 192.168.42.1
                s=Parrot ANAFI
                c=IN IP4 192.168.42.1
                a=tool:librtsp
                m=video 0 RTP/AVP 96
                a=rtpmap:96 H264/90000
                a=fmtp:96 packetization-mode=1;profile-level-id=4D4028;sprop-parameter-sets=Z01AKJpmA8ARPy4C1AQEBQ==,aO48gA==
                a=control:stream=0
                a=X-com-parrot-picture-hfov:78.4
                """,
            medias: ["video H264"],
            controls: ["stream=0"]
        ),
    ]
}
