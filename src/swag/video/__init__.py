"""Videos in a painted style: each frame in one pass, blended with the one before.

    for progress in swag.video.paint_video("in.mp4", "great-wave", "out.mp4"):
        print(progress.done, progress.frames)

Needs the extra `video`: PyAV reads and writes, OpenCV finds the motion.
"""

from swag.video.painting import VideoProgress, paint_video
from swag.video.styles import VideoStyle, frame_painter

__all__ = ["VideoProgress", "VideoStyle", "frame_painter", "paint_video"]
