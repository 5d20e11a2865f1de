// The few pictures that the page needs, drawn with the text's colour. Decoration: a word or a label stands beside.

import type { ReactNode } from "react";

interface Props {
  size?: number;
}

function icon(children: ReactNode) {
  return function Icon({ size = 18 }: Props) {
    return (
      <svg
        width={size}
        height={size}
        viewBox="0 0 24 24"
        fill="none"
        stroke="currentColor"
        strokeWidth={1.8}
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
        focusable="false"
      >
        {children}
      </svg>
    );
  };
}

export const SearchIcon = icon(<path d="M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13Zm5-1.5L20 20" />);
export const DotsIcon = icon(<path d="M5 12h.01M12 12h.01M19 12h.01" strokeWidth={3} />);
export const PlusIcon = icon(<path d="M12 5v14M5 12h14" />);
export const CloseIcon = icon(<path d="M6 6l12 12M18 6 6 18" />);
export const BackIcon = icon(<path d="M19 12H5m6-6-6 6 6 6" />);
export const ForthIcon = icon(<path d="M5 12h14m-6-6 6 6-6 6" />);
export const SunIcon = icon(<path d="M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 2v2m0 16v2M2 12h2m16 0h2M5 5l1.4 1.4m11.2 11.2L19 19M19 5l-1.4 1.4M6.4 17.6 5 19" />);
export const MoonIcon = icon(<path d="M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z" />);
export const ScreenIcon = icon(<path d="M4 5h16v11H4zM9 20h6m-3-4v4" />);
export const PhoneIcon = icon(<path d="M7 3h10v18H7zM11 18h2" />);
export const PauseIcon = icon(<path d="M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM10 9v6m4-6v6" />);
export const BanIcon = icon(<path d="M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM5.7 5.7l12.6 12.6" />);
export const CheckIcon = icon(<path d="M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm-4-9 3 3 5-6" />);
export const OffIcon = icon(<path d="M12 3v9m5.7-6.4a8 8 0 1 1-11.4 0" />);
export const LeaveIcon = icon(<path d="M14 8V5H5v14h9v-3M10 12h11m-3-3 3 3-3 3" />);
export const EditIcon = icon(<path d="m4 20 1-4L16 5l3 3L8 19l-4 1Zm9.5-12.5 3 3" />);
export const TrashIcon = icon(<path d="M5 7h14M10 11v6m4-6v6M6 7l1 13h10l1-13M9 7V4h6v3" />);
export const PeopleIcon = icon(<path d="M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm-6 9c0-3.3 2.7-5.5 6-5.5s6 2.2 6 5.5m1-16.5a3.5 3.5 0 0 1 0 7m2 4c1.9.8 3 2.6 3 5" />);
export const PersonIcon = icon(<path d="M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-7 8c0-3.6 3.1-6 7-6s7 2.4 7 6" />);
export const BellIcon = icon(<path d="M6 17V11a6 6 0 0 1 12 0v6l1.5 2h-15L6 17Zm4 2a2 2 0 0 0 4 0" />);
export const BellOffIcon = icon(<path d="M6 17V11c0-1.2.4-2.4 1-3.3M9 5.8A6 6 0 0 1 18 11v6M4.500 19H17m-7 0a2 2 0 0 0 4 0M4 4l16 16" />);
export const ContactsIcon = icon(<path d="M5 4h14v16H5zM3 8h3m-3 8h3m6-3.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5Zm-4 4.500c0-2 1.800-3 4-3s4 1 4 3" />);
export const LiveIcon = icon(<path d="M13 3 5 14h6l-1 7 8-11h-6l1-7Z" />);
export const RefreshIcon = icon(<path d="M19 12a7 7 0 1 1-2-4.900M19 4v4h-4" />);
export const SmileIcon = icon(<path d="M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM9 10h.01M15 10h.01M8.500 14.500c1.800 2 5.200 2 7 0" />);
export const UpIcon = icon(<path d="m7 14 5-5 5 5" />);
export const DownIcon = icon(<path d="m7 10 5 5 5-5" />);
export const WarnIcon = icon(<path d="M12 4 2.5 20h19L12 4Zm0 6v4m0 3v.01" />);
export const ChartIcon = icon(<path d="M4 4v16h16M8 16v-4m4 4V8m4 8v-6" />);
export const HookIcon = icon(<path d="M10 14a4 4 0 0 0 5.700 0l3-3a4 4 0 0 0-5.700-5.700l-1 1m2 3.700a4 4 0 0 0-5.700 0l-3 3a4 4 0 0 0 5.700 5.700l1-1" />);
export const KeyIcon = icon(<path d="M8 19a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm3-7 8-8m-3 3 3 3m-6 0 2 2" />);
export const SendIcon = icon(<path d="m4 12 16-8-5 16-4-6-7-2Zm7 2 9-10" />);
